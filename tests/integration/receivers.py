"""Receivers of what automations send: over HTTP, good and bad ones, a mail server, and a log. Each remembers what arrived."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec


@dataclass
class Received:
    """One request."""

    headers: dict[str, str]
    body: bytes
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def document(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass
class Receiver:
    """`answers` are what it does with the next requests; after them, it answers 200."""

    port: int = 0
    requests: list[Received] = field(default_factory=list)
    answers: list[Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"


def status(code: int, text: bytes = b"", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    return answer


def cut(handler: BaseHTTPRequestHandler) -> None:
    """200, and the connection ends in the middle of the body."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"half")
    handler.close_connection = True


def endless(handler: BaseHTTPRequestHandler) -> None:
    """200, and a body without end."""
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"x" * 65_536)
    except OSError:
        handler.close_connection = True


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver over HTTP on loopback."""
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.requests.append(Received({name.lower(): value for name, value in self.headers.items()}, body))
            answer = state.answers.pop(0) if state.answers else status(200, b"ok")
            answer(self)

        do_GET = do_POST

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.gate.set()
        server.shutdown()
        server.server_close()


def hang(state: Receiver) -> Callable[[BaseHTTPRequestHandler], None]:
    """No answer until the test opens the gate."""
    return lambda _handler: (state.gate.wait(30), None)[1]


@dataclass
class Mailbox:
    port: int = 0
    mails: list[str] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """A mail server that takes everything."""
    box = Mailbox()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 catcher\r\n")
            while line := self.rfile.readline():
                verb = line[:4].upper()
                if verb == b"RCPT":
                    box.recipients.append(line.decode().strip())
                if verb == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = []
                    while (part := self.rfile.readline()) not in (b".\r\n", b""):
                        lines.append(part.decode())
                    box.times.append(datetime.now(UTC))
                    box.mails.append("".join(lines).replace("\r\n", "\n"))
                self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                if verb == b"QUIT":
                    return

    with _served(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        box.port = port
        yield box


@dataclass
class Log:
    port: int = 0
    lines: list[bytes] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)


@contextmanager
def log(kind: str = "udp") -> Iterator[Log]:
    """A server for syslog."""
    state = Log()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            state.times.append(datetime.now(UTC))
            if kind == "udp":
                state.lines.append(self.request[0])
                return
            parts = []
            while part := self.request.recv(65_536):
                parts.append(part)
            state.lines.append(b"".join(parts))

    server = socketserver.ThreadingUDPServer if kind == "udp" else socketserver.ThreadingTCPServer
    with _served(server(("127.0.0.1", 0), Handler)) as port:
        state.port = port
        yield state


@contextmanager
def _served(server: Any) -> Iterator[int]:
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
