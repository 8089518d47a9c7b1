"""Requests to a server that is reached directly, over plain HTTP: by the standard library, which takes a fifth of the CPU time of HTTP libraries.
A run that reports each start waits for such a request before each task.
"""

from __future__ import annotations

import http.client
import os
import select
import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import SplitResult, urlencode

from appliance.client import names
from appliance.client.answers import Response
from appliance.client.exchange import CONNECT_TIMEOUT, LOOPBACK, READ_TIMEOUT, Lost, parts, read
from appliance.kit import clock

IDLE_SECONDS = 5.0
"""A connection that has been idle for longer is not used again: something on the way may have forgotten it."""
_PART = 64 * 1024
_PACKED = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""The window bits of zlib."""


class _Connection(http.client.HTTPConnection):
    """Sends the head of a request and a short body together: apart, they would wake the server up twice."""

    _held: bytes | None = None

    def connect(self) -> None:
        self.sock = names.connected(self.host, self.port, CONNECT_TIMEOUT)

    def send(self, data: Any) -> None:
        if self._held is None:
            super().send(data)
        else:
            self._held += data

    def request(self, *arguments: Any, **options: Any) -> None:
        self._held = b""
        try:
            super().request(*arguments, **options)
        finally:
            request, self._held = self._held, None
        for part in parts(request):
            self.send(part)


class Direct:
    """Connections that are kept between requests. Safe to share between threads."""

    def __init__(self, url: SplitResult) -> None:
        self._host, self._port, self._prefix = url.hostname or "", url.port or 80, url.path.rstrip("/")
        self._idle: deque[tuple[http.client.HTTPConnection, float]] = deque()

    def exchange(
        self, method: str, path: str, query: Mapping[str, Any], content: bytes, headers: Mapping[str, str]
    ) -> tuple[Response, bytes]:
        """One request and its whole answer. Raises Lost."""
        target = self._prefix + path + (f"?{urlencode(_texts(query), doseq=True)}" if query else "")
        with _losses(), self._connection() as connection:
            connection.request(method, target, content or None, dict(headers))
            with connection.getresponse() as answer:
                body = read(_parts(answer))
                if answer.length:
                    raise http.client.IncompleteRead(body, answer.length)
                return _Head(answer), body

    def close(self) -> None:
        """Close the connections that are idle."""
        while self._idle:
            self._idle.pop()[0].close()

    @contextmanager
    def _connection(self) -> Iterator[http.client.HTTPConnection]:
        connection = self._reusable() or self._new()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if connection.sock is not None:  # the answer did not end the connection
            self._idle.append((connection, clock.monotonic()))

    def _reusable(self) -> http.client.HTTPConnection | None:
        while True:
            try:
                connection, since = self._idle.pop()
            except IndexError:
                return None
            if clock.monotonic() - since < IDLE_SECONDS and _is_quiet(connection):
                return connection
            connection.close()

    def _new(self) -> http.client.HTTPConnection:
        connection = _Connection(self._host, self._port)
        connection.connect()
        connection.sock.settimeout(READ_TIMEOUT)
        return connection


def is_direct(url: SplitResult) -> bool:
    """Whether there is neither encryption nor a proxy between this machine and the server."""
    host = url.hostname or ""
    return url.scheme == "http" and host.isascii() and (host in LOOPBACK or not _has_proxies())


class _Head:
    """The part of an answer that is judged."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status_code: int = answer.status
        self.headers = cast(Mapping[str, str], answer.headers)


def _has_proxies() -> bool:
    return any(name.lower() in ("http_proxy", "all_proxy") and value for name, value in os.environ.items())


def _is_quiet(connection: http.client.HTTPConnection) -> bool:
    """Whether nothing has arrived since the last answer, such as the connection's end."""
    waiting = select.poll()
    waiting.register(connection.sock, select.POLLIN)
    return not waiting.poll(0)


def _parts(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body as it arrives, unpacked."""
    bits = _PACKED.get(answer.headers.get("content-encoding", "").strip().lower())
    if bits is None:
        while part := answer.read1(_PART):
            yield part
        return
    unpacking = zlib.decompressobj(bits)
    while part := answer.read1(_PART):
        while part:
            yield unpacking.decompress(part, _PART)
            part = unpacking.unconsumed_tail
    yield unpacking.flush()


def _texts(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}


@contextmanager
def _losses() -> Iterator[None]:
    try:
        yield
    except (http.client.HTTPException, OSError, ValueError, zlib.error) as error:
        raise Lost(error) from error
