"""Sends one request to a receiver that may be slow, broken or hostile: five seconds, 64 KB of its answer, no redirect, a checked address."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from appliance.server.events.addresses import Bounds, NotSent, Place, places

SECONDS = 5.0
MOST_BYTES = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """What the receiver said. A whole answer of more than MOST_BYTES is not read to its end."""

    status: int
    reason: str
    text: str
    is_whole: bool

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300 and self.is_whole


def post(url: str, body: bytes, headers: Mapping[str, str], bounds: Bounds, seconds: float = SECONDS) -> Answer:
    """Send it and read the answer. Raises NotSent, or Refused for an address that is refused."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    connection = _Connection(
        parts.hostname or "", port, places(parts.hostname or "", port, bounds), parts.scheme == "https", seconds
    )
    with _Watch(connection, seconds) as watch:
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", path, body, dict(headers))
            return _read(connection.getresponse())
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            if watch.is_over or isinstance(error, TimeoutError):
                raise NotSent(f"The receiver did not answer within {seconds:g} s.") from error
            raise NotSent(f"The receiver can't be reached: {_words(error)}.") from error


class _Connection(http.client.HTTPConnection):
    """A connection to one of the places, whatever the name resolves to by now."""

    def __init__(self, host: str, port: int, known: Sequence[Place], is_secure: bool, seconds: float) -> None:
        super().__init__(host, port, timeout=seconds)
        self.default_port = 443 if is_secure else 80  # or the header Host would name it
        self._known, self._is_secure, self._seconds = known, is_secure, seconds

    def connect(self) -> None:
        self.sock = _connected(self._known, self._seconds)
        if self._is_secure:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock.do_handshake()


def _connected(known: Sequence[Place], seconds: float) -> socket.socket:
    error: OSError = OSError("it has no address")
    for place in known:
        try:
            return socket.create_connection(place.address, timeout=seconds / len(known))
        except OSError as problem:
            error = problem
    raise error


class _Watch:
    """Ends the connection once the time is over, since a receiver may send one byte a second forever."""

    def __init__(self, connection: _Connection, seconds: float) -> None:
        self.is_over = False
        self._connection = connection
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def _end(self) -> None:
        self.is_over = True
        with suppress(OSError, AttributeError):
            socket.socket.shutdown(self._connection.sock, socket.SHUT_RDWR)

    def __enter__(self) -> _Watch:
        self._timer.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._timer.cancel()
        self._connection.close()


def _read(response: http.client.HTTPResponse) -> Answer:
    parts: list[bytes] = []
    size = 0
    while size <= MOST_BYTES and (part := response.read1(MOST_BYTES + 1 - size)):
        parts.append(part)
        size += len(part)
    is_whole = size > MOST_BYTES or not response.length
    text = b"".join(parts)[:MOST_BYTES].decode("utf-8", "replace")
    return Answer(response.status, response.reason, text, is_whole)


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason given'})"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "it did not answer in HTTP, or its answer was cut off"
