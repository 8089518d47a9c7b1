"""Exchanges framed messages between the flow's process and one of its workers, over a socket."""

from __future__ import annotations

import socket
import struct
import threading

from appliance.kit import clock

_HEAD = struct.Struct("!cQ")
_FOREVER = 1e6  # seconds; longer timeouts exceed the limits of the system's clock
_CHUNK = 1 << 20

Content = bytes | bytearray
Message = tuple[bytes, Content]


class Closed(Exception):
    """The other end has closed the channel."""


class Channel:
    """One end of the channel. A message has a kind of one byte and a content. Any thread may send; only one receives."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._sending = threading.Lock()

    def send(self, kind: bytes, content: Content) -> None:
        """Send a message. Raises Closed."""
        head = _HEAD.pack(kind, len(content))
        try:
            with self._sending:
                if len(content) < _CHUNK:
                    self._socket.sendall(head + content)
                else:
                    self._socket.sendall(head)
                    self._socket.sendall(content)
        except OSError as error:
            raise Closed from error

    def receive(self, deadline: float | None = None) -> Message:
        """The next message. Raises Closed, or TimeoutError if it doesn't arrive by `deadline` on the monotonic clock."""
        kind, size = _HEAD.unpack(self._read(_HEAD.size, deadline))
        return kind, self._read(size, deadline)

    def close(self) -> None:
        self._socket.close()

    def _read(self, size: int, deadline: float | None) -> bytearray:
        content = bytearray(size)
        view, done = memoryview(content), 0
        try:
            while done < size:
                if deadline is not None:
                    left = deadline - clock.monotonic()
                    if left <= 0:
                        raise TimeoutError
                    self._socket.settimeout(min(left, _FOREVER))
                got = self._socket.recv_into(view[done : done + _CHUNK])
                if not got:
                    raise Closed
                done += got
        except TimeoutError:
            raise
        except OSError as error:
            raise Closed from error
        finally:
            if deadline is not None:
                self._socket.settimeout(None)
        return content
