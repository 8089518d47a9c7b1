"""Requests byte by byte over a connection of their own, as no HTTP library would send them."""

from __future__ import annotations

import socket
from contextlib import suppress
from urllib.parse import urlsplit

LIMIT = 30.0
Headers = list[tuple[bytes, bytes]]


def ask(url: str, method: str, path: str, headers: Headers, body: bytes = b"") -> tuple[int, bytes]:
    """Status and body; of a stream, the body up to its first event. The connection is then closed. The status is 0 if none was sent."""
    parts = urlsplit(url)
    lines = [f"{method} {path} HTTP/1.1".encode(), *(name + b": " + value for name, value in headers)]
    lines.append(b"Content-Length: %d" % len(body))
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=LIMIT) as connection:
        with suppress(OSError):  # it may be answered before all of it was read
            connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        return _answer(connection)


def _answer(connection: socket.socket) -> tuple[int, bytes]:
    received = b""
    while not _is_whole(received):
        try:
            part = connection.recv(65536)
        except ConnectionError:
            break
        if not part:
            break
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]) if head.startswith(b"HTTP/1.1 ") else 0, body


def _is_whole(received: bytes) -> bool:
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return False
    fields = dict(line.lower().partition(b": ")[::2] for line in head.split(b"\r\n")[1:])
    if fields.get(b"content-type", b"").startswith(b"text/event-stream"):
        return b"event: " in body and body.endswith(b"\r\n\r\n")
    length = fields.get(b"content-length")
    return len(body) >= int(length) if length is not None else body.endswith(b"0\r\n\r\n")
