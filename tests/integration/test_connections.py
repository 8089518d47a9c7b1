"""Connections that never get to a request, or to the end of it: each has an end, and others get through meanwhile."""

from __future__ import annotations

import gc
import logging
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn

from appliance.cli import server as cli_server
from appliance.config import Settings
from appliance.server.api import events
from appliance.server.app import create_app
from appliance.server.db.session import Database
from appliance.server.web import connections, metrics
from tests.integration import server_fixtures
from tests.integration.server_fixtures import Site, claim, listening


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """Connections are the same on every database."""
    import shutil

    shutil.copy(sqlite_template, tmp_path / "appliance.db")
    return f"sqlite:///{tmp_path / 'appliance.db'}"


@pytest.fixture
def port(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    config = uvicorn.Config

    def with_protocol(app: Any, **options: Any) -> uvicorn.Config:
        return config(app, http=connections.Protocol, **options)

    monkeypatch.setattr(server_fixtures.uvicorn, "Config", with_protocol)
    claim(database)
    with listening(create_app(Settings(), database)) as url:
        yield int(url.rpartition(":")[2])


def _open(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def _rest(connection: socket.socket) -> bytes:
    """What comes until the server closes the connection."""
    parts = []
    while part := connection.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def _is_served(port: int) -> bool:
    with httpx2.Client(timeout=10) as client:
        return bool(client.get(f"http://127.0.0.1:{port}/healthz").json() == {"status": "ok"})


def test_the_limits() -> None:
    assert (connections.PATIENCE, connections.HEADER_BYTES, events.MOST_STREAMS, metrics.FRESH) == (10, 65_536, 20, 1)


@pytest.mark.parametrize(
    ("sent", "answer", "line"),
    [
        (b"", b"", "sent nothing"),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"408", "its headers took more"),
        (b"POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{", b"", "Request "),
    ],
)  # fmt: skip
def test_what_does_not_arrive_in_time_is_cut_off(
    port: int, sent: bytes, answer: bytes, line: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.3)
    caplog.set_level(logging.INFO, "appliance")
    with _open(port) as connection:
        connection.sendall(sent)
        assert answer in _rest(connection)[:20]
    assert _is_served(port)
    lines = [text for text in caplog.messages if line in text]
    assert len(lines) == 1


def test_a_body_over_a_slow_line_is_waited_for_as_long_as_it_comes(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 10 KB/s, which many runs share."""
    monkeypatch.setattr(connections, "PATIENCE", 0.3)
    head = b"POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 3000\r\n\r\n"
    with _open(port) as connection:
        connection.sendall(head)
        for _ in range(5):
            connection.sendall(b" " * 600)
            threading.Event().wait(0.5)
        assert b"HTTP/1.1 4" in connection.recv(65_536)[:20]  # it was read


def test_an_idle_connection_stays_and_the_next_request_on_it_is_in_time_again(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.3)
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with _open(port) as connection:
        for _ in range(2):
            connection.sendall(request)
            assert b"200 OK" in connection.recv(65_536)
            threading.Event().wait(0.6)
        connection.sendall(request[:10])
        assert b"408" in _rest(connection)[:20]


@pytest.mark.parametrize(
    "headers",
    [
        b"X: " + b"a" * 70_000 + b"\r\n\r\n",
        b"X: " + b"a" * 70_000,
        b"".join(b"X-%d: %s\r\n" % (number, b"a" * 1_000) for number in range(70)) + b"\r\n",
        b"".join(b"X-%d: a\r\n" % number for number in range(1_000)) + b"\r\n",
    ],
)
def test_too_large_headers_are_refused(port: int, headers: bytes) -> None:
    with _open(port) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + headers)
        try:
            answer = _rest(connection)
        except ConnectionResetError:  # some of it was still on the way
            answer = b"HTTP/1.1 431"
    assert answer.startswith(b"HTTP/1.1 431")
    assert _is_served(port)


def test_large_headers_below_the_limit_are_fine(port: int) -> None:
    with _open(port) as connection:
        connection.sendall(
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: " + b"a" * 60_000 + b"\r\n\r\n"
        )
        assert _rest(connection).startswith(b"HTTP/1.1 200")


def test_those_who_send_nothing_make_room_for_each_other(port: int) -> None:
    with ExitStack() as stack:
        opened = [stack.enter_context(_open(port)) for _ in range(connections.MOST_HALF_OPEN + 20)]
        for connection in opened[:20]:
            assert _rest(connection) == b""
        assert _is_served(port)


def test_a_client_that_goes_away_before_its_answers_is_no_fault(port: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(10):
        with _open(port) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)  # so that answers soon wait for us
            connection.sendall(b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
            connection.recv(1)
        assert _is_served(port)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_an_address_has_only_so_many_connections(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_LOCAL", frozenset())
    monkeypatch.setattr(connections, "MOST", 3)
    with ExitStack() as stack:
        kept = [stack.enter_context(_open(port)) for _ in range(3)]
        for connection in kept:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in connection.recv(65_536)
        with _open(port) as another:
            assert _rest(another) == b""
        kept[0].close()
        kept[1].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in kept[1].recv(65_536)


def test_a_caller_has_twenty_live_streams(database: Database) -> None:
    tokens = claim(database)
    gc.disable()  # a stream gives its place back when it ends, and not when its remains are collected
    with listening(create_app(Settings(), database)) as url, ExitStack() as stack:
        stack.callback(gc.enable)
        client = stack.enter_context(httpx2.Client(timeout=20, limits=httpx2.Limits(max_connections=None)))

        def stream(principal: str) -> httpx2.Response:
            headers = {"Authorization": f"Bearer {tokens[principal]}"}
            return stack.enter_context(client.stream("GET", f"{url}/api/v1/events", headers=headers))

        opened = [stream("viewer") for _ in range(events.MOST_STREAMS)]
        assert {one.status_code for one in opened} == {200}
        refused = stream("viewer")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
        assert stream("operator").status_code == 200
        # not only closed, since a process that was forked meanwhile would keep a copy of the socket open
        opened[0].extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        opened[0].close()
        while (another := stream("viewer")).status_code != 200:  # until the server has noticed
            another.close()


def test_the_metrics_are_kept_for_a_second(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "FRESH", 3600.0)
    first = site.client.get("/metrics").content
    site.get("/api/v1/me")
    assert site.client.get("/metrics").content == first
    monkeypatch.setattr(metrics, "FRESH", 0.0)
    assert site.client.get("/metrics").content != first


def test_metrics_answer_where_the_site_says(database: Database) -> None:
    claim(database)
    for networks, status in (("192.0.2.0/24", 403), ("127.0.0.1", 200)):
        with listening(create_app(Settings(metrics_from=networks), database)) as url:
            assert httpx2.get(f"{url}/metrics").status_code == status


def test_a_server_may_have_as_many_open_files_as_the_system_lets_it() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
        cli_server.raise_file_limit()
        most = cli_server.MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, cli_server.MOST_FILES)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == max(min(soft, 512), most)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
