"""Messages to a real Mosquitto: what it gets, what it refuses, and what isn't repeated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import pytest

from appliance.core.secrets import Secret
from appliance.tasks import mqtt
from appliance.tasks.library.errors import AccessDenied, ConnectionLost, MissingArgument, Refused, Unreachable
from appliance.tasks.mqtt import MqttPublish
from tests.certificates import Authority
from tests.chaos.proxy import SWALLOW_MARKED, Proxy
from tests.conformance.task_daemons import Mosquitto

PASSWORD = "open-mosquitto-4711"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with closing(Mosquitto(tmp_path_factory.mktemp("mqtt"), "ada", PASSWORD)) as broker:
        yield broker


@pytest.fixture
def where(broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("APPLIANCE_SECRET_PW", PASSWORD)
    return {"host": "127.0.0.1", "port": broker.port, "user": "ada", "password": Secret("PW")}


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_message_arrives(where: dict[str, Any], broker: Mosquitto, qos: Literal[0, 1, 2], protocol: Any) -> None:
    topic = f"hall/{protocol}/{qos}"
    task = MqttPublish(topic=topic, qos=qos, retain=True, protocol=protocol, **where)
    assert task.run(payload="grüße") == 7
    assert broker.retained(topic) == "grüße".encode()


@pytest.mark.parametrize(
    ("payload", "content"),
    [(b"\0\xff", b"\0\xff"), (4.5, b"4.5"), ({"a": [1]}, b'{"a": [1]}'), ([1, "x"], b'[1, "x"]'), ("", b"")],
)
def test_other_payloads_become_bytes(where: dict[str, Any], broker: Mosquitto, payload: Any, content: bytes) -> None:
    assert MqttPublish(topic="hall/kinds", retain=True, **where).run(payload=payload) == len(content)
    if content:  # nothing is what removes a message that is kept
        assert broker.retained("hall/kinds") == content


def test_a_large_message_arrives_whole(where: dict[str, Any], broker: Mosquitto) -> None:
    content = bytes(range(256)) * 10_000
    assert MqttPublish(topic="hall/large", retain=True, qos=2, **where).run(payload=content) == len(content)
    assert broker.retained("hall/large") == content


def test_topics_that_the_user_may_not_use_are_denied(where: dict[str, Any]) -> None:
    with pytest.raises(AccessDenied, match=r"127.0.0.1:\d+ doesn't accept the message: Not authorized"):
        MqttPublish(topic="cellar/lamp", payload="x", **where).run()
    for protocol in ("5", "3.1.1"):
        stranger: Any = where | {"user": "eve", "protocol": protocol}
        with pytest.raises(
            AccessDenied, match=r"doesn't accept the connection: (Not authorized|Bad user name or password)"
        ):
            MqttPublish(topic="hall/x", payload="x", **stranger).run()


def test_a_message_that_may_have_arrived_is_not_repeated(
    where: dict[str, Any], broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Proxy(broker.port, mark=b"hall/once")
    try:
        proxy.set(SWALLOW_MARKED)
        with pytest.raises(ConnectionLost, match=r"The connection to .* broke"):
            MqttPublish(topic="hall/once", payload="x", retain=True, **(where | {"port": proxy.port})).run()
    finally:
        proxy.close()
    assert broker.retained("hall/once") == b"x"


def test_a_broker_that_says_nothing_is_unreachable(where: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.conformance.task_servers import silent

    monkeypatch.setattr(mqtt, "_PATIENCE", 0.3)
    with silent() as port, pytest.raises(Unreachable, match=r"hasn't answered for 0\.3 s"):
        MqttPublish(topic="hall/x", payload="x", **(where | {"port": port.getsockname()[1]})).run()


def test_certificates_are_verified(tmp_path: Path, where: dict[str, Any]) -> None:
    own = Authority(tmp_path)
    trusted = own.file
    with closing(Mosquitto(tmp_path, "ada", PASSWORD, own.issue("127.0.0.1"))) as broker:
        there = where | {"port": broker.port, "topic": "hall/tls", "retain": True}
        assert MqttPublish(ca_file=trusted, **there).run(payload="x") == 1
        assert broker.retained("hall/tls", trusted) == b"x"
        with pytest.raises(Unreachable, match=r"CERTIFICATE_VERIFY_FAILED|certificate verify failed"):
            MqttPublish(tls=True, **there).run(payload="x")


def test_what_can_not_be_sent_is_a_sentence(where: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="can't be sent: Publish topic cannot contain wildcards"):
        MqttPublish(topic="hall/#", payload="x", **where).run()
    with pytest.raises(Refused, match="can't be sent: Invalid QoS level"):
        MqttPublish(topic="hall/x", payload="x", qos=3, **where).run()  # type: ignore[arg-type]
    with pytest.raises(MissingArgument, match="MqttPublish has no payload"):
        MqttPublish(topic="hall/x", **where).run()
    with pytest.raises(ValueError, match=r"protocol must be '5' or '3.1.1', not '4'"):
        MqttPublish(protocol="4")  # type: ignore[arg-type]
    assert [MqttPublish().port, MqttPublish(tls=True).port, MqttPublish(tls=True, port=1).port] == [1883, 8883, 1]
