"""The relay to the package index: it passes on requests for the index with the agent's token, and nothing else."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

import pytest

from appliance.agents.index_relay import relay


class Server(ThreadingHTTPServer):
    """Answers everything, and remembers the path and the token of each request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.asked.append((self.path, self.headers["Authorization"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def ask(address: str, path: str) -> tuple[int, bytes]:
    """As it is written: other clients take `..` out of a path before they send it."""
    place = urlsplit(address)
    connection = http.client.HTTPConnection("127.0.0.1", place.port or 0, timeout=20)
    try:
        connection.request("GET", path.replace("SECRET", place.path))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_the_index_is_read_with_the_token(server: Server) -> None:
    with relay(f"http://127.0.0.1:{server.server_port}/simple", "of-the-agent") as address:
        for path in ("SECRET/", "SECRET/six/", "SECRET/six/six-1.17.0-py2.py3-none-any.whl", "SECRET/a%2Bb/"):
            assert ask(address, path) == (200, b"ok")
    assert [path for path, _ in server.asked] == [
        "/simple/",
        "/simple/six/",
        "/simple/six/six-1.17.0-py2.py3-none-any.whl",
        "/simple/a%2Bb/",
    ]
    assert {token for _, token in server.asked} == {"Bearer of-the-agent"}


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/six/", "SECRETx/", "SECRET"),
        *("SECRET/../api/v1/agents", "SECRET/six/../../api/v1/agents", "SECRET/..", "SECRET/./six/"),
        *("SECRET/%2e%2e/api/v1/agents", "SECRET/.%2E/api", "SECRET/%2e%2e%2fapi", "SECRET/..%5capi", "SECRET/..\\api"),
        *("SECRET//evil.test/six/", "SECRET/six/?project=other", "SECRET/six/#part", "SECRET/%252e%252e/api"),
    ],
)
def test_nothing_else_is(server: Server, path: str) -> None:
    with relay(f"http://127.0.0.1:{server.server_port}/simple", "of-the-agent") as address:
        assert ask(address, path)[0] == 404
    assert server.asked == []
