"""Tasks for Redis on a real server: what they set, read, and execute, and what isn't repeated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from appliance.core.secrets import Secret
from appliance.tasks.library.errors import AccessDenied, ConnectionLost, MissingArgument, Refused, Unreachable
from appliance.tasks.redis import RedisExecute, RedisGet, RedisSet
from tests.chaos.proxy import SWALLOW, Proxy
from tests.conformance.task_daemons import Redis

PASSWORD = "open-redis-4711"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with closing(Redis(tmp_path_factory.mktemp("redis"), PASSWORD)) as server:
        yield server


@pytest.fixture
def where(server: Redis, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    server.client.flushall()
    monkeypatch.setenv("APPLIANCE_SECRET_PW", PASSWORD)
    return {"host": "127.0.0.1", "port": server.port, "password": Secret("PW")}


def test_a_value_is_set_and_read(where: dict[str, Any], server: Redis) -> None:
    assert RedisSet(redis_key="a", **where).run(redis_val="grüße") is True
    assert RedisGet(redis_key="a", **where).run() == "grüße"
    assert RedisGet(binary=True, **where).run(redis_key="a") == "grüße".encode()
    assert RedisGet(**where).run(redis_key="b") is None
    assert RedisGet("127.0.0.1", server.port, 1, password=Secret("PW")).run(redis_key="a") is None


def test_a_value_expires_and_may_depend_on_the_key(where: dict[str, Any], server: Redis) -> None:
    task = RedisSet(redis_key="a", **where)
    assert task.run(redis_val=1, xx=True) is False
    assert task.run(redis_val=1, nx=True, ex=100) is True
    assert 0 < server.client.ttl("a") <= 100
    assert task.run(redis_val=2, nx=True) is False
    assert task.run(redis_val=3, px=5_000) is True
    assert 0 < server.client.pttl("a") <= 5_000
    assert server.client.get("a") == "3"


def test_a_command_is_a_text_or_a_list(where: dict[str, Any]) -> None:
    assert RedisExecute("localhost", where["port"], redis_cmd="INCRBY n 5", password=Secret("PW")).run() == 5
    task = RedisExecute(**where)
    assert task.run(["SET", "motto", "two words"]) is True
    assert task.run("GET motto") == "two words"
    assert task.run(["HSET", "h", "a", 1, "b", 2.5]) == 2
    assert task.run("HGETALL h") == {"a": "1", "b": "2.5"}
    with pytest.raises(Refused, match="redis_cmd is empty"):
        task.run("  ")


def test_what_redis_refuses_is_a_sentence_with_its_code(where: dict[str, Any]) -> None:
    RedisExecute(**where).run("LPUSH list 1")
    with pytest.raises(Refused, match=r"127.0.0.1:\d+ answered: WRONGTYPE Operation") as caught:
        RedisGet(**where).run(redis_key="list")
    assert caught.value.code == "WRONGTYPE"
    with pytest.raises(Refused, match="can't be used: Invalid input of type: 'dict'"):
        RedisSet(redis_key="a", **where).run(redis_val={})  # type: ignore[arg-type]
    with pytest.raises(Refused, match="value is not an integer"):
        RedisExecute(**where).run("INCRBY n x")


def test_users_may_do_only_what_their_rules_say(where: dict[str, Any]) -> None:
    RedisExecute(**where).run(["ACL", "SETUSER", "ada", "on", f">{PASSWORD}", "~*", "+get"])
    assert RedisGet(user="ada", **where).run(redis_key="a") is None
    with pytest.raises(AccessDenied, match="denies access"):
        RedisSet(user="ada", redis_key="a", **where).run(redis_val=1)
    with pytest.raises(AccessDenied, match="denies access"):
        RedisGet("127.0.0.1", where["port"]).run(redis_key="a")


def test_what_may_have_had_an_effect_is_not_repeated(where: dict[str, Any], server: Redis) -> None:
    proxy = Proxy(server.port)
    away = {**where, "port": proxy.port}
    try:
        proxy.set(SWALLOW)
        with pytest.raises(Unreachable):
            RedisExecute(**away).run("INCR n")  # the answer to the password is lost already
        assert server.client.get("n") is None
    finally:
        proxy.close()
    with pytest.raises(ConnectionLost, match="or the connection broke"):
        RedisExecute(request_timeout=0.2, **where).run("BLPOP empty 60")


def test_the_server_is_busy_and_did_nothing(where: dict[str, Any], server: Redis) -> None:
    server.client.config_set("busy-reply-threshold", 1)
    try:
        with pytest.raises(ConnectionLost):
            RedisExecute(request_timeout=0.3, **where).run(["EVAL", "while true do end", 0])
        with pytest.raises(Unreachable, match="was busy, and did nothing: BUSY"):
            RedisExecute(**where).run("INCR n")
    finally:
        server.client.script_kill()


def test_what_is_missing_or_must_not_be_stored_is_named() -> None:
    with pytest.raises(MissingArgument, match="RedisGet has no redis_key"):
        RedisGet().run()
    with pytest.raises(ValueError, match=r"set password=Secret\('NAME'\)"):
        RedisGet(redis_connection_params={"password": "x"})
    with pytest.raises(TypeError, match="password must be a secret"):
        RedisGet(password="x")  # type: ignore[arg-type]
