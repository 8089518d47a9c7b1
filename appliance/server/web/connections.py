"""What a connection may take before its request is complete: time, bytes, and places. uvicorn leaves all of them open.

Whoever opens many connections and sends nothing loses the oldest of their own, so that somebody else behind the same address still gets through.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from appliance.server.auth.throttle import network_of

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds for the headers of a request, and for its body, which gets a second more for every 512 bytes that have come: many runs may share a line of 10 KB/s."""
BODY_RATE = 512
HEADER_BYTES = 64 * 1024
"""All headers of a request together, with its first line."""
HEADERS = 200
MOST_HALF_OPEN = 100
MOST = 1_000
"""Connections from one address, or from one network of 64 bits of IPv6; the first of the two counts those whose request has not begun to arrive
in whole. From this machine itself there may be more, since runs connect from here."""
_MOST_HELD = 64 * 1024
_LOCAL = frozenset({"127.0.0.1", "::/64", ""})
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 34\r\n\r\nThe headers are too large or many."
)
_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 34\r\n\r\nThe request did not arrive in time"
)


class _Places:
    """The connections of this process by address, each in the order in which it opened or finished a request."""

    def __init__(self) -> None:
        self.processes = 1
        self._all: dict[str, int] = {}
        self._half_open: dict[str, OrderedDict[Protocol, None]] = {}

    def enter(self, connection: Protocol) -> bool:
        """Whether there is room for one more."""
        address = connection.address
        if self._all.get(address, 0) >= max(1, MOST // self.processes) and address not in _LOCAL:
            return False
        self._all[address] = self._all.get(address, 0) + 1
        return True

    def leave(self, connection: Protocol) -> None:
        left = self._all.get(connection.address, 0) - 1
        if left > 0:
            self._all[connection.address] = left
        else:
            self._all.pop(connection.address, None)
        self.complete(connection)

    def open_half(self, connection: Protocol) -> None:
        """The connection is without a whole request; the oldest such ones make room."""
        waiting = self._half_open.setdefault(connection.address, OrderedDict())
        waiting[connection] = None
        while len(waiting) > max(1, MOST_HALF_OPEN // self.processes):
            oldest, _ = waiting.popitem(last=False)
            oldest.cut("too many connections from its address are without a request")

    def complete(self, connection: Protocol) -> None:
        waiting = self._half_open.get(connection.address)
        if waiting is not None:
            waiting.pop(connection, None)
            if not waiting:
                del self._half_open[connection.address]


_places = _Places()


def share(processes: int) -> None:
    """Count for this process, and those that it forks, as one of so many on the same port: each takes its part of the connections."""
    _places.processes = processes


class _Joined:
    """A transport that sends together what is written in one turn of the event loop: uvicorn writes the head of an answer and its body
    apart, and a client that waits would wake up twice."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)
        self._size += len(data)
        if self._size > _MOST_HELD:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held:
            held, self._held, self._size = self._held, [], 0
            self._transport.write(held[0] if len(held) == 1 else b"".join(held))


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol with an end to its patience."""

    address = ""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._timer: asyncio.TimerHandle | None = None
        self._in_headers = True
        self._received = 0  # bytes of the headers, then of the body
        self._began = 0.0
        self._entered = False
        self._answering: Any = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, _Joined(transport)))
        self.address = network_of(self.client[0]) if self.client else ""
        self._entered = _places.enter(self)
        if not self._entered:
            self.cut("its address has too many connections")
            return
        _places.open_half(self)
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._entered:
            self._entered = False
            _places.leave(self)
        self._tell_of_the_end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_headers:
            self._received += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        # what came in whole, as most requests do, needs no timer
        if not self._in_headers:
            self._timer = self._timer or self.loop.call_later(PATIENCE, self._look_at_body)
        elif self._received > HEADER_BYTES:
            self._refuse_headers()
        elif self._received and self._timer is None:  # the first bytes of another request on the same connection
            self._wait_for_headers()
            _places.open_half(self)

    def on_headers_complete(self) -> None:
        self._stop_timer()
        self._in_headers = False
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > HEADER_BYTES or len(self.headers) > HEADERS:
            self._refuse_headers()
            return
        _places.complete(self)
        self._received, self._began = 0, self.loop.time()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._received += len(body)
        if self.cycle is not None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._stop_timer()
        self._in_headers, self._received = True, 0
        if self.cycle is not None:
            super().on_message_complete()

    def cut(self, reason: str, answer: bytes = b"") -> None:
        """End the connection, with one line in the log."""
        self._stop_timer()
        if self.transport.is_closing():
            return
        log.info("A connection from %s was cut off: %s.", self.address or "this machine", reason)
        if answer:
            self.transport.write(answer)
        self.transport.close()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _tell_of_the_end(self) -> None:
        """Tell the request that is being answered that its client is gone: uvicorn tells the last one that came, and others may wait before it."""
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()

    def _wait_for_headers(self) -> None:
        self._timer = self.loop.call_later(PATIENCE, self._end_headers)

    def _end_headers(self) -> None:
        if self._received:
            self.cut(f"its headers took more than {PATIENCE:.0f} seconds", _TOO_SLOW)
        else:
            self.cut(f"it sent nothing for {PATIENCE:.0f} seconds")

    def _look_at_body(self) -> None:
        """Cut off a body that comes too slowly. While the app itself is what the rest waits for, its time doesn't count."""
        waiting_for_us = self.flow.read_paused
        if waiting_for_us:
            self._began = self.loop.time() - self._received / BODY_RATE
        allowed = PATIENCE + self._received / BODY_RATE
        left = self._began + allowed - self.loop.time()
        if left <= 0:
            self._timer = None
            self.transport.close()  # the app logs that the request was cut off
        else:
            self._timer = self.loop.call_later(min(left, 1.0), self._look_at_body)

    def _refuse_headers(self) -> None:
        self.cut("its headers are too large", _TOO_LARGE)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
