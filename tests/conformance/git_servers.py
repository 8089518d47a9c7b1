"""Git over HTTP and over SSH on loopback, in front of real repositories: git's own programs answer, and the doors ask for a token or a key."""

from __future__ import annotations

import base64
import os
import shlex
import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import paramiko

TOKEN = "a-token-of-the-forge"


class GitOverHttp:
    """Serves the repositories in a folder to whoever has TOKEN. `moved` is a path that redirects to another host, whose requests it notes."""

    def __init__(self, root: Path) -> None:
        elsewhere = type("Elsewhere", (_Elsewhere,), {"seen": []})
        self.elsewhere: list[str] = elsewhere.seen
        self._other = ThreadingHTTPServer(("127.0.0.1", 0), elsewhere)
        target = f"http://localhost:{self._other.server_port}"
        handler = type("Handler", (_Handler,), {"root": root, "target": target})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        for server in (self._server, self._other):
            threading.Thread(target=server.serve_forever, name="git-http", daemon=True).start()

    def close(self) -> None:
        for server in (self._server, self._other):
            server.shutdown()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    root: ClassVar[Path]
    target: ClassVar[str]

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path.startswith("/moved/"):
            return self._answer(301, {"Location": f"{self.target}{self.path.removeprefix('/moved')}"})
        given = self.headers.get("authorization", "")
        if given != f"Basic {base64.b64encode(f'git:{TOKEN}'.encode()).decode()}":
            return self._answer(401, {"WWW-Authenticate": 'Basic realm="git"'})
        environ = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("content-type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
        }
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        done = subprocess.run(["git", "http-backend"], input=body, env=environ, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self._answer(int(headers.pop("Status", "200").split()[0]), headers, content)

    do_POST = do_GET

    def _answer(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nobody reads it."""


class _Elsewhere(_Handler):
    seen: ClassVar[list[str]]

    def do_GET(self) -> None:
        self.seen.append(self.headers.get("authorization", "none"))
        self._answer(404, {})


class GitOverSsh:
    """Serves repositories by their paths to whoever has the private key `key`. `known_hosts` is a line with the host's key."""

    def __init__(self) -> None:
        self._own = paramiko.ECDSAKey.generate()
        self._socket = socket.create_server(("127.0.0.1", 0))
        port = self._socket.getsockname()[1]
        self.url = f"ssh://git@127.0.0.1:{port}"
        self.known_hosts = f"[127.0.0.1]:{port} {self._own.get_name()} {self._own.get_base64()}\n"
        self.allowed = ""
        threading.Thread(target=self._accept, name="git-ssh", daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(self._own)
            transport.start_server(event=threading.Event(), server=_Door(self.allowed))


class _Door(paramiko.ServerInterface):
    def __init__(self, allowed: str) -> None:
        self._allowed = allowed

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        fits = (username, key.get_base64()) == ("git", self._allowed)
        return paramiko.AUTH_SUCCESSFUL if fits else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_env_request(self, channel: paramiko.Channel, name: bytes, value: bytes) -> bool:
        return True

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        program, path = shlex.split(command.decode())
        if program != "git-upload-pack":
            return False
        threading.Thread(target=_serve, args=(channel, path), daemon=True).start()
        return True


def _serve(channel: paramiko.Channel, path: str) -> None:
    process = subprocess.Popen(["git", "upload-pack", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    assert process.stdin is not None and process.stdout is not None

    def forward() -> None:
        while data := channel.recv(65536):
            process.stdin.write(data)
        process.stdin.close()

    threading.Thread(target=forward, daemon=True).start()
    while data := process.stdout.read(65536):
        channel.sendall(data)
    channel.send_exit_status(process.wait())
    channel.close()
