"""A TCP proxy on the loopback that misbehaves on request: cuts, delays, swallows answers (to all or to marked requests), takes requests and
says nothing, or answers each with 500."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from contextlib import suppress

PASS, CUT, DELAY, SWALLOW, HOLE, SWALLOW_MARKED = "pass", "cut", "delay", "swallow", "hole", "swallow marked"
FAULTS = (CUT, DELAY, SWALLOW, HOLE)
BROKEN = "broken"
DELAY_SECONDS = 0.4
_ERROR = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: 26\r\nConnection: close\r\n\r\n"
    b'{"message":"out of order"}'
)


class Proxy:
    """Listens on `port` of `host`, a free one if that is 0, with `tls` if there is one, and passes on to `target`, a port or the path of a socket, in a thread of its own. `mark` is what requests
    contain whose answers are lost in mode SWALLOW_MARKED; `lost` counts them."""

    def __init__(
        self,
        target: int | str,
        mark: bytes = b"",
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
        port: int = 0,
        delay: float = DELAY_SECONDS,
    ) -> None:
        self._target, self._mark, self._tls = target, mark, tls
        self._listener = socket.create_server((host, port))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}"
        self.lost, self._delay = 0, delay
        self._mode = PASS
        self._open: set[asyncio.StreamWriter] = set()
        self._marked: set[asyncio.StreamWriter] = set()
        self._stranded: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self._stopped = asyncio.Event()
        self._thread.start()

    def set(self, mode: str) -> None:
        """From now on; what is open is cut when the fault is a cut, and when it is over, so that nobody waits for a dead peer."""
        self._loop.call_soon_threadsafe(self._switch, mode)

    def strand(self) -> None:
        """Pass nothing on any more on what is open now, and tell nobody; new connections work."""
        self._loop.call_soon_threadsafe(lambda: self._stranded.update(self._open))

    def lead(self, target: int | str) -> None:
        """New connections lead there."""
        self._target = target

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(5)

    def _switch(self, mode: str) -> None:
        self._mode, before = mode, self._mode
        if mode in (CUT, BROKEN) or before in (SWALLOW, HOLE):
            for writer in list(self._open):
                writer.transport.abort()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, sock=self._listener, ssl=self._tls)
        await self._stopped.wait()
        server.close()
        for writer in list(self._open):
            writer.transport.abort()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            if self._mode == CUT:
                return
            if self._mode == BROKEN:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(_ERROR)
                await writer.drain()
                writer.close()
                await writer.wait_closed()
                return
            there_reader, there = await self._reach(reader, writer)
            self._open.add(there)
            try:
                back = asyncio.create_task(self._pump(there_reader, writer, None))
                await self._pump(reader, there, writer)
                await back
            finally:
                self._open.discard(there)
                self._stranded.discard(there)
                self._marked.discard(writer)
                there.transport.abort()
        except (OSError, asyncio.IncompleteReadError):
            return  # either end is gone
        finally:
            self._open.discard(writer)
            self._stranded.discard(writer)
            writer.transport.abort()

    async def _reach(
        self, _reader: asyncio.StreamReader, _writer: asyncio.StreamWriter
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to where the one that has just been made is to lead."""
        if isinstance(self._target, str):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection("127.0.0.1", self._target)

    def _passing(self, content: bytes, is_request: bool) -> None:
        """For those who want to know what arrives."""

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answered: asyncio.StreamWriter | None
    ) -> None:
        """Requests have one whom they are `answered` to; answers have none."""
        with suppress(OSError):
            while content := await reader.read(65_536):
                self._passing(content, answered is not None)
                if self._mode == HOLE or writer in self._stranded:
                    continue
                if answered is None and (self._mode == SWALLOW or writer in self._marked):
                    self.lost += 1
                    break  # the change has happened, and nobody hears of it
                if answered is not None and self._mode == SWALLOW_MARKED and self._mark in content:
                    self._marked.add(answered)
                if self._mode == DELAY:
                    await asyncio.sleep(self._delay)
                writer.write(content)
                await writer.drain()
        writer.transport.abort()


class ForwardProxy(Proxy):
    """Passes on to wherever a client asks it to, by CONNECT. `asked` are these places."""

    def __init__(self, host: str) -> None:
        self.asked: list[str] = []
        super().__init__(0, host=host)

    async def _reach(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        method, place, *_ = (await reader.readuntil(b"\r\n\r\n")).decode().split()
        assert method == "CONNECT"
        self.asked.append(place)
        host, _, port = place.rpartition(":")
        opened = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return opened
