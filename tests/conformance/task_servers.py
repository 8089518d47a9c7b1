"""Servers on loopback that stand in for those of the world: one for HTTP, one for mail, and a user of a real Postgres."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import select
import socket
import socketserver
import ssl
import subprocess
import threading
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import psycopg
from moto.server import ThreadedMotoServer


class Web:
    """An HTTP server. Whoever sends no `token` is rejected, except by `/open...`. `seen` has what it was sent."""

    def __init__(self, token: str) -> None:
        web = self
        self.token, self.waiting = token, 0
        self.seen: list[dict[str, Any]] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        """What it answers next, in place of what it would."""

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None: ...

            def do_GET(self) -> None:
                web._answer(self)

            do_POST = do_PUT = do_DELETE = do_GET

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: Any) -> None:
        url = urlsplit(request.path)
        body = request.rfile.read(int(request.headers.get("content-length") or 0))
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        headers = {key.lower(): value for key, value in request.headers.items()}
        self.seen.append(
            {"method": request.command, "path": url.path, "query": query, "headers": headers, "body": body}
        )
        if self.answers:
            return send(request, *self.answers.pop(0))
        if not url.path.startswith("/open") and not self._is_known(headers):
            return send(request, 401, {}, f"who is {headers.get('authorization')}?".encode())
        if url.path.startswith("/open/hook/"):
            return send(request, 200, {}, b"ok")
        if url.path.startswith("/open/drop/"):
            return request.connection.shutdown(socket.SHUT_RDWR)
        if url.path.startswith("/open/slow/"):
            return self._slow(request, query, body)
        if url.path.startswith("/push/"):
            return send(request, 200, {}, b"")
        route: Callable[..., None] = getattr(
            self, f"_{url.path.strip('/').replace('/', '_').replace('.', '_')}", self._missing
        )
        return route(request, query, body)

    def _is_known(self, headers: dict[str, str]) -> bool:
        basic = base64.b64encode(f"warehouse:{self.token}".encode()).decode()
        known = (f"Bearer {self.token}", f"Basic {basic}", "Bearer short-lived-token")
        return headers.get("authorization") in known or headers.get("x-key") == self.token

    def _missing(self, request: Any, _query: Any, _body: bytes) -> None:
        send(request, 404, {}, b"nothing here")

    def _echo(self, request: Any, query: dict[str, str], body: bytes) -> None:
        send_json(
            request, {"query": query, "body": body.decode(), "authorization": request.headers.get("authorization")}
        )

    def _done(self, request: Any, _query: Any, body: bytes) -> None:
        send_json(request, {"day": json.loads(body)["day"]})

    def _slow(self, request: Any, _query: Any, _body: bytes) -> None:
        """Never answers, and ends when the client hangs up."""
        self.waiting += 1
        try:
            select.select([request.connection], [], [], 3600)
        finally:
            self.waiting -= 1
            request.close_connection = True

    def _drip(self, request: Any, _query: Any, _body: bytes) -> None:
        """Promises more than it sends."""
        request.send_response(200)
        request.send_header("content-length", "1000")
        request.end_headers()
        request.wfile.write(b"x" * 10)
        request.close_connection = True

    def _open_token(self, request: Any, _query: Any, body: bytes) -> None:
        if not self._is_known({key.lower(): value for key, value in request.headers.items()}):
            return send_json(request, {"error": "invalid_client"}, 401)
        assert b"grant_type=client_credentials" in body
        return send_json(request, {"access_token": "short-lived-token", "token_type": "Bearer"})

    _token = _open_token

    def _orders(self, request: Any, query: dict[str, str], _body: bytes) -> None:
        """Three pages, in each of the ways that APIs have for it."""
        page = int(query.get("page") or query.get("cursor") or 1)
        rows = [{"id": 2 * page - 1}, {"id": 2 * page}] if page <= 3 else []
        more = page < 3
        next_url = f"{self.url}/orders?cursor={page + 1}" if more else None
        headers = {"link": f'<{next_url}>; rel="next"'} if more else {}
        document = {"data": rows, "next": {"cursor": page + 1 if more else None, "url": next_url}}
        send(request, 200, {"content-type": "application/json", **headers}, json.dumps(document).encode())

    def _report_csv(self, request: Any, _query: Any, _body: bytes) -> None:
        send(request, 200, {"content-type": "text/csv"}, REPORT)

    def _feed_xml(self, request: Any, _query: Any, _body: bytes) -> None:
        send(request, 200, {"content-type": "application/rss+xml"}, FEED)

    def _elsewhere(self, request: Any, query: dict[str, str], _body: bytes) -> None:
        send(request, 302, {"location": query["to"]}, b"")


class PasswordDatabase:
    """A user of its own, who needs a password, on the tests' Postgres."""

    def __init__(self, server: str, password: str) -> None:
        self.folder = parse_qs(urlsplit(server).query)["host"][0]
        self.socket = f"{self.folder}/.s.PGSQL.5432"
        self.user = f"zebra_{uuid4().hex[:12]}"
        self._server = server
        rules = Path(self._ask("show hba_file")[0])
        self._ask(f"create role {self.user} login superuser password '{password}'")
        rules.write_text(f"local all {self.user} scram-sha-256\n{rules.read_text()}")
        self._ask("select pg_reload_conf()")

    def close(self) -> None:
        self._ask(f"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{self.user}'")
        self._ask(f"drop owned by {self.user} cascade; drop role {self.user}")

    def is_busy(self) -> bool:
        return bool(self._ask(f"select 1 from pg_stat_activity where usename = '{self.user}' and state = 'active'"))

    def _ask(self, query: str) -> list[Any]:
        with psycopg.connect(self._server, autocommit=True) as connection:
            cursor = connection.execute(query)  # type: ignore[call-overload]
            return [row[0] for row in cursor.fetchall()] if cursor.description else []


class Mail:
    """An SMTP server with one user. `messages` are what it took; it rejects recipients whose address contains `nobody` (550) or `later` (450)."""

    def __init__(self, user: str, password: str, tls: ssl.SSLContext | None = None, starttls: bool = False) -> None:
        mail = self
        self.login, self.tls, self.starttls = f"\0{user}\0{password}", tls, starttls
        self.messages: list[bytes] = []
        self.is_silent, self.waiting, self.drops_data = False, 0, False

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                mail._serve(self)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler: Any) -> None:
        connection = handler.connection
        if self.is_silent:
            self.waiting += 1
            try:
                select.select([connection], [], [], 3600)
            finally:
                self.waiting -= 1
            return
        with suppress(OSError):
            if self.tls is not None and not self.starttls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            self._talk(connection)

    def _talk(self, connection: Any) -> None:
        lines = connection.makefile("rb")

        def say(text: str) -> None:
            connection.sendall(f"{text}\r\n".encode())

        say("220 mail.test")
        while line := lines.readline().decode().strip():
            match line.split(maxsplit=2):
                case ["ehlo", *_]:
                    say("250-mail.test\r\n250-AUTH PLAIN" + ("\r\n250 STARTTLS" if self.starttls else "\r\n250 HELP"))
                case ["STARTTLS"]:
                    say("220 go")
                    assert self.tls is not None
                    connection = self.tls.wrap_socket(connection, server_side=True)
                    lines = connection.makefile("rb")
                case ["AUTH", "PLAIN", sent]:
                    known = base64.b64decode(sent).decode() == self.login
                    say("235 welcome" if known else f"535 wrong: {sent}")
                case ["rcpt", *_] if "nobody" in line or "later" in line:
                    say("550 no such user" if "nobody" in line else "450 try later")
                case ["data"]:
                    if self.drops_data:
                        return connection.shutdown(socket.SHUT_RDWR)
                    say("354 go")
                    self.messages.append(b"".join(iter(lines.readline, b".\r\n")))
                    say("250 taken")
                case ["quit"]:
                    return say("221 bye")
                case _:
                    say("250 ok")
        return None


def bare_repository(folder: Path, name: str) -> Path:
    """A repository with one commit that takes pushes, in the folder `served`."""
    bare, work = folder / "served" / f"{name}.git", folder / f"{name}-work"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": True}
    subprocess.run(["git", "init", "--bare", "-b", "main", bare], **quiet)  # type: ignore[call-overload]
    subprocess.run(["git", "-C", bare, "config", "http.receivepack", "true"], check=True)
    subprocess.run(["git", "clone", "-q", bare, work], **quiet)  # type: ignore[call-overload]
    (work / "first.txt").write_text("1")
    subprocess.run(["git", "-C", work, "checkout", "-q", "-B", "main"], check=True)
    subprocess.run(["git", "-C", work, "add", "."], check=True)
    who = ["-c", "user.name=Grace", "-c", "user.email=grace@example.org"]
    subprocess.run(["git", "-C", work, *who, "commit", "-q", "-m", "First"], check=True)
    subprocess.run(["git", "-C", work, "push", "-q", "origin", "main"], check=True)
    return bare


@cache
def _moto() -> str:
    """One server for all tests of this process."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"


def moto(bucket: str) -> str:
    """The address of a stand-in for S3, with an empty bucket."""
    for method, path in (("POST", "moto-api/reset"), ("PUT", bucket)):
        urllib.request.urlopen(urllib.request.Request(f"{_moto()}/{path}", method=method)).close()
    return _moto()


FEED = b"""<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel><title>News &amp; more</title><link>/home</link>
<item><title>First</title><link>/1</link><guid isPermaLink="false">n1</guid><author>ada</author>
<pubDate>Sat, 31 Jan 2026 06:30:00 +0100</pubDate><description><![CDATA[<b>x</b><script>y</script>]]></description></item>
<item><title>Zweite \xc3\xbc</title></item></channel></rss>"""
REPORT = b"a,b\n1,2\n" * 1000
REPORT_SHA256 = hashlib.sha256(REPORT).hexdigest()


def send(request: Any, status: int, headers: dict[str, str], body: bytes) -> None:
    request.send_response(status)
    for key, value in {**headers, "content-length": str(len(body))}.items():
        request.send_header(key, value)
    request.end_headers()
    request.wfile.write(body)


def send_json(request: Any, document: Any, status: int = 200) -> None:
    send(request, status, {"content-type": "application/json"}, json.dumps(document).encode())


def silent() -> socket.socket:
    """A port that takes connections and says nothing."""
    return socket.create_server(("127.0.0.1", 0))
