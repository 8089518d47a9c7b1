"""Lets an installer read the appliance's own package index with the agent's token, which never leaves the agent's process.

Neither the arguments and variables of the installer nor a file has the token: what is built, and runs of the same user, could read those.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx2

from appliance.client import connection

_SECONDS = 60.0
_CHUNK = 256 * 1024
_POLL = 0.05
"""Seconds that the end of the block waits at most."""
_REQUEST_HEADERS = ("accept", "if-none-match", "range")
_ANSWER_HEADERS = ("content-type", "content-length", "content-encoding", "etag", "location", "vary")
_OF_AN_INDEX = re.compile(r"(?:[A-Za-z0-9](?:[\w.!~+-]|%2[Bb]|%21)*(?:/|$))*", re.ASCII)
"""Projects and files, none of which begins with a dot: no path leads from the index to what else the token opens."""
_logger = logging.getLogger("appliance.agent")


@contextmanager
def relay(url: str, token: str) -> Iterator[str]:
    """The address at which the index at `url` can be read on this machine until the end of the block. It has a part that nobody can guess."""
    secret = secrets.token_urlsafe(24)
    with httpx2.Client(timeout=_SECONDS, headers=_bearer(token)) as client:

        class Handler(_Handler):
            index, prefix, http = url, f"/{secret}/", client

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=(_POLL,), name="appliance-index-relay", daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{secret}"
        finally:
            server.shutdown()
            server.server_close()


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {connection.sendable(token)}"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    index: str
    prefix: str
    http: httpx2.Client

    def do_GET(self) -> None:
        """Pass a request on, and the answer back."""
        path = self.path.removeprefix(self.prefix)
        if path == self.path or _OF_AN_INDEX.fullmatch(path) is None:
            self.send_error(404)
            return
        wishes = {name: value for name in _REQUEST_HEADERS if (value := self.headers.get(name)) is not None}
        try:
            with self.http.stream(
                self.command,
                f"{self.index}/{path}",
                headers={"accept-encoding": "identity", **wishes},
            ) as answer:
                self._pass_on(answer)
        except httpx2.HTTPError as error:
            _logger.info("A request to the package index failed: %s", error)
            self.close_connection = True

    do_HEAD = do_GET

    def _pass_on(self, answer: httpx2.Response) -> None:
        self.send_response(answer.status_code)
        for name in _ANSWER_HEADERS:
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        if "content-length" not in answer.headers:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        for chunk in answer.iter_raw(_CHUNK):
            self.wfile.write(chunk)

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing: the path has the secret."""
