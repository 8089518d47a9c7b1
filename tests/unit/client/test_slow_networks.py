"""Long requests and answers over a slow network are waited for as long as some of them arrives, although their time limit is much shorter than the whole takes."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from appliance.client import direct, exchange, library, trust
from appliance.client.transport import Transport, path
from tests import certificates
from tests.unit.client.test_direct import OK

CONTENT = bytes(400_000)
LIMIT, AT_ONCE, PAUSE = 1.0, 16 * 1024, 0.2
"""Seconds for each part, and how much of the request is read between two pauses: all of it takes five times as long."""


class Sluggish:
    """A server that takes a little of a request now and then. `received` is how much came."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls, self.received = tls, 0
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, AT_ONCE)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen()
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._socket.getsockname()[1]}"
        self._rest = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(30)
                secured = self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
                while self.received < len(CONTENT):
                    part = secured.recv(AT_ONCE)
                    if not part:
                        return
                    self.received += len(part)
                    self._rest.wait(PAUSE * len(part) / AT_ONCE)
                secured.sendall(OK)

    def close(self) -> None:
        self._rest.set()
        self._socket.close()


def test_a_long_answer_outlasts_its_time_limit_as_long_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "LONGEST_ANSWER", 0.1)
    pause = threading.Event()

    def arriving(size: int) -> Iterator[bytes]:
        for _ in range(5):
            pause.wait(0.1)
            yield bytes(size)

    assert len(exchange.read(arriving(exchange.LEAST_RATE))) == 5 * exchange.LEAST_RATE
    with pytest.raises(exchange.TooLong, match="takes longer than"):
        exchange.read(arriving(1))


@pytest.mark.parametrize("way", ["direct", "by the library", "with TLS"])
def test_a_long_request_outlasts_the_time_limit_as_long_as_it_gets_on(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (direct, library):
        monkeypatch.setattr(module, "READ_TIMEOUT", LIMIT)
    own = certificates.Authority(tmp_path)
    monkeypatch.setenv(trust.AUTHORITIES, str(own.file))
    with closing(Sluggish(certificates.serving(own.issue("127.0.0.1")) if way == "with TLS" else None)) as server:
        http = library.opened(server.url, is_plain=True, is_near=True)._http if way == "by the library" else None
        with Transport(server.url, "t", http) as transport:
            assert transport.send("POST", path("info"), CONTENT) in (b"{}", {})
        assert server.received >= len(CONTENT)
