"""An HTTP proxy that answers for the server now and then, with whatever it is told to: any status, headers and body."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

KINDS = {"begin": "begin", "slots": "slots", "claim": "claim", "agents": "enrol"}


class StrangeProxy(http.server.ThreadingHTTPServer):
    """In front of the server at `url`. `fault` gets the kind of each request, and the bytes that it returns are the answer."""

    daemon_threads = True

    def __init__(self, url: str, fault: Callable[[str], bytes | None] = lambda _kind: None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fault = fault
        self.limit = 0
        """Bodies that are longer get 413, as nginx does it. 0: none is too long."""
        self.passed: Counter[str] = Counter()
        self.strange: Counter[str] = Counter()
        self.longest = 0
        self.target = urlsplit(url)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> StrangeProxy:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: StrangeProxy
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        kind = kind_of(self.path)
        self.server.longest = max(self.server.longest, length)
        strange = self.server.fault(kind)
        if strange is None and 0 < self.server.limit < length:
            strange = raw(413, {}, b"<html><h1>413 Request Entity Too Large</h1></html>")
        if strange is not None:
            self.server.strange[kind] += 1
            self.wfile.write(strange)
            self.close_connection = True
            return
        self.server.passed[kind] += 1
        self._pass_on(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer

    def _pass_on(self, body: bytes) -> None:
        target = self.server.target
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
        except OSError:
            self.close_connection = True
            return
        finally:
            connection.close()
        self.wfile.write(raw(answer.status, {"Content-Type": answer.getheader("content-type", "")}, content))

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def kind_of(path: str) -> str:
    """The kind of a request of agents and runs, by its address."""
    last = path.partition("?")[0].rpartition("/")[2]
    if last == "report":
        return "agent report" if "/agents/" in path else "report"
    return KINDS.get(last, "other")


def raw(status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    """An answer as it goes over the wire."""
    lines = [f"HTTP/1.1 {status} Strange", *(f"{name}: {value}" for name, value in headers.items())]
    if status >= 200 and status != 204:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (
        body if status >= 200 and status not in (204, 304) else b""
    )


def in_turn(answers: Iterator[bytes], first: int = 3) -> Callable[[str], bytes | None]:
    """A fault for every second request of each kind, and for the `first` ones of each; none when the answers are used up."""
    seen: Counter[str] = Counter()
    lock = threading.Lock()

    def fault(kind: str) -> bytes | None:
        with lock:
            seen[kind] += 1
            return next(answers, None) if seen[kind] <= first or seen[kind] % 2 else None

    return fault
