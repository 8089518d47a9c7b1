"""Requests by the standard library come to the same end as those by the HTTP library, whatever is at the other end of the connection."""

from __future__ import annotations

import gzip
import itertools
import random
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from appliance.agents import agent, exit_reports
from appliance.client import direct as by_hand
from appliance.client import errors, exchange, library, system
from appliance.client.direct import _Connection, is_direct
from appliance.client.transport import Transport, path
from appliance.engine.tracked import reporter
from appliance.kit import clock
from appliance.protocol import agents as protocol
from appliance.protocol import run_protocol
from tests.depth import pick
from tests.unit.client.strangers import BODIES, HEADERS, OURS

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Scripted:
    """A server that reads one request after the other and answers the next of its answers. None: it closes the connection."""

    def __init__(self, *answers: bytes | None, closes: bool = False, at: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self._answers, self._closes = iter(answers), closes
        self.requests: list[bytes] = []
        self.connections = 0
        self.closed = threading.Event()
        self._socket = socket.create_server(at)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            with connection, suppress(OSError):
                self._talk(connection)
            self.closed.set()

    def _talk(self, connection: socket.socket) -> None:
        while request := _request(connection):
            self.requests.append(request)
            answer = next(self._answers, None)
            if answer is None:
                return
            connection.sendall(answer)
            if self._closes:
                return

    def close(self) -> None:
        self._socket.close()


def _request(connection: socket.socket) -> bytes:
    content = b""
    while b"\r\n\r\n" not in content:
        part = connection.recv(65536)
        if not part:
            return b""
        content += part
    head, _, body = content.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def scripted(*answers: bytes | None, closes: bool = False) -> Iterator[Scripted]:
    server = Scripted(*answers, closes=closes)
    try:
        yield server
    finally:
        server.close()


def raw(status: int, headers: dict[str, str], body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status} Strange", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode("latin-1") + body


def asked(transport: Transport) -> tuple[type[Exception] | None, str]:
    with transport:
        try:
            transport.get(path("info"), dict)
        except errors.ClientError as error:
            return type(error), str(error)
    return None, ""


@pytest.mark.parametrize("status", [200, 204, 301, 401, 404, 413, 500, 502, 599])
def test_strangers_come_to_the_same_end_both_ways(status: int) -> None:
    combinations = list(itertools.product(HEADERS, BODIES))
    for headers, body in random.Random(status).sample(combinations, pick(quick=10, normal=10, full=len(combinations))):
        answer = raw(status, HEADERS[headers], BODIES[body] if status != 204 else b"")
        with scripted(answer, answer, closes=True) as server:
            direct = asked(Transport(server.url, "secret", tries=1))
            by_library = asked(Transport(server.url, "secret", httpx2.Client(base_url=server.url), tries=1))
        if direct != by_library:  # how a packed body is broken, each says in its own words
            assert (direct[0], by_library[0]) == (errors.Unreachable, errors.Unreachable), (headers, body)


@pytest.mark.parametrize("length", range(0, len(OK), 3))
def test_an_answer_that_is_cut_off_is_none(length: int) -> None:
    with scripted(OK[:length], closes=True) as server, pytest.raises(errors.Outage):
        Transport(server.url, tries=1).get(path("info"), dict)


def test_a_connection_is_kept_and_used_again() -> None:
    with scripted(OK, OK, OK) as server, Transport(server.url) as transport:
        for _ in range(3):
            transport.get(path("info"), dict)
        assert server.connections == 1


def test_a_connection_that_the_server_has_closed_is_not_used_again() -> None:
    with scripted(OK, OK, closes=True) as server, Transport(server.url, tries=1) as transport:
        transport.get(path("info"), dict)
        assert server.closed.wait(10)
        transport.get(path("info"), dict)
        assert server.connections == 2


def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(OK, OK) as server, Transport(server.url, tries=1) as transport:
        transport.get(path("info"), dict)
        now = clock.monotonic()
        monkeypatch.setattr(clock, "monotonic", lambda: now + 6)
        transport.get(path("info"), dict)
        assert server.closed.wait(10)


def test_a_request_that_gets_no_answer_is_sent_once() -> None:
    with scripted(OK, None) as server, Transport(server.url) as transport:
        transport.get(path("info"), dict)
        with pytest.raises(errors.Unreachable):
            transport.post(path("users"), {}, dict)
        assert len(server.requests) == 2


def test_the_request_says_what_the_library_says() -> None:
    with scripted(OK, OK) as server:
        asks: dict[str, Any] = {"params": {"a": True, "b": None, "c": "ü&", "d": 3}, "idempotent": True}
        for http in (None, httpx2.Client(base_url=f"{server.url}/prefix")):
            with Transport(f"{server.url}/prefix", "secret", http) as transport:
                transport.ask("PATCH", path("users", "ä/b"), dict, b'{"x":1}', key="k", **asks)
    requests = [request.partition(b"\r\n\r\n") for request in server.requests]
    lines = [sorted(head.lower().split(b"\r\n")) for head, _, _ in requests]
    assert lines[0] == [line for line in lines[1] if not line.startswith(b"connection:")]
    assert requests[0][2] == requests[1][2] == b'{"x":1}'
    assert requests[0][0].startswith(b"PATCH /prefix/api/v1/users/%C3%A4%2Fb?a=true&c=%C3%BC%26&d=3 HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)]
)
def test_what_a_proxy_packs_is_unpacked(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    with scripted(raw(404, {"Content-Encoding": encoding}, pack(OURS))) as server, pytest.raises(errors.NotFound):
        Transport(server.url, tries=1).get(path("info"), dict)


def test_chunks_are_put_together() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
    with scripted(answer, answer) as server, Transport(server.url) as transport:
        assert transport.get(path("info"), dict) == {}
        assert transport.get(path("info"), dict) == {}
        assert server.connections == 1


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(200_000_000), compresslevel=1)
    with (
        scripted(raw(200, {"Content-Encoding": "gzip"}, bomb)) as server,
        pytest.raises(errors.Unreachable, match="longer than 64 MB"),
    ):
        Transport(server.url, tries=1).get(path("info"), dict)


def test_an_answer_that_drips_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "LONGEST_ANSWER", -1.0)
    with scripted(OK) as server, pytest.raises(errors.Unreachable, match="takes longer than"):
        Transport(server.url, tries=1).get(path("info"), dict)


class Silent:
    """A server that is gone without a word: the first connections are taken and nothing comes back. The others are answered."""

    def __init__(self, silent: int) -> None:
        self._socket, self._silent = socket.create_server(("127.0.0.1", 0)), silent
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._kept: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        for number in itertools.count(1):
            with suppress(OSError):
                connection, _ = self._socket.accept()
                self._kept.append(connection)
                if number > self._silent:
                    _request(connection)
                    connection.sendall(OK)
                    return

    def close(self) -> None:
        for one in (self._socket, *self._kept):
            one.close()


@pytest.mark.parametrize("way", ["direct", "by the library"])
def test_a_server_that_is_gone_without_a_word_is_left_and_asked_again(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (by_hand, library):
        monkeypatch.setattr(module, "READ_TIMEOUT", 0.2)
    server, pauses = Silent(2), list[float]()
    http = None if way == "direct" else library.opened(server.url, is_plain=True, is_near=True)._http
    with closing(server), Transport(server.url, "t", http, sleep=pauses.append) as transport:
        assert transport.get(path("info"), dict) == {}
    assert len(pauses) == 2


def test_a_client_reaches_a_server_that_was_gone_without_a_word_within_a_minute() -> None:
    pauses = max(agent.LONGEST_PAUSE, exit_reports.LONGEST_PAUSE, reporter.LONGEST_PAUSE)
    assert exchange.READ_TIMEOUT <= 30
    assert exchange.READ_TIMEOUT + pauses + exchange.CONNECT_TIMEOUT <= 60
    assert protocol.MAX_WAIT + 10 <= exchange.READ_TIMEOUT  # a long poll is not taken for silence
    assert max(agent.WAIT, run_protocol.LONGEST_SLOT_WAIT) <= protocol.MAX_WAIT


def test_a_long_request_is_sent_for_as_long_as_the_network_takes_some_of_it() -> None:
    """The time limit is on each part: on the whole, `sendall` would not wait longer for a large report over a slow network."""
    content, sizes = bytes(3_000_000), list[int]()

    class Socket:
        def sendall(self, data: bytes) -> None:
            sizes.append(len(data))

    connection = _Connection("127.0.0.1", 1)
    connection.sock = Socket()
    connection.request("POST", "/x", content)
    assert max(sizes) <= 64 * 1024
    assert sum(sizes) > len(content)


def test_nobody_there_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(errors.Unreachable, match=r"can't be reached \(.*refused\); is it running\?"):
        system.info(Transport(f"http://127.0.0.1:{port}", tries=1))


@pytest.mark.parametrize(
    ("url", "environment", "direct"),
    [
        ("http://site:4200", {}, True),
        ("http://site:4200", {"HTTP_PROXY": "http://proxy"}, False),
        ("http://site:4200", {"all_proxy": "http://proxy"}, False),
        ("http://site:4200", {"http_proxy": ""}, True),
        ("http://127.0.0.1:4200", {"HTTP_PROXY": "http://proxy"}, True),
        ("https://site", {}, False),
        ("http://sité", {}, False),
    ],
)
def test_the_standard_library_is_used_where_the_way_is_direct(
    url: str, environment: dict[str, str], direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert is_direct(urlsplit(url)) is direct


def test_a_request_is_one_write() -> None:
    written: list[bytes] = []

    class Socket:
        def sendall(self, data: bytes) -> None:
            written.append(data)

    connection = _Connection("127.0.0.1", 1)
    connection.sock = Socket()
    connection.request("POST", "/x", b"{}", {"Content-Type": "application/json"})
    assert len(written) == 1
    assert written[0].startswith(b"POST /x HTTP/1.1\r\n")
    assert written[0].endswith(b"\r\n\r\n{}")
