"""A registry for images on the loopback: as much of the distribution API as pushing and pulling takes."""

from __future__ import annotations

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from appliance.kit.ids import uuid7


class Registry:
    """`closed` has it refuse everything, as one does where nobody has signed in."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.uploads: dict[str, bytes] = {}
        self.closed = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"registry": self}))
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, name="registry", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    registry: ClassVar[Registry]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        kind, name = self._named()
        if self.registry.closed and self.path != "/v2/":
            return self._answer(403, b'{"errors": [{"code": "DENIED", "message": "requested access is denied"}]}')
        if kind == "manifests" and name in self.registry.manifests:
            media, content = self.registry.manifests[name]
            return self._answer(200, content, **{"Content-Type": media, "Docker-Content-Digest": _digest(content)})
        if kind == "blobs" and name in self.registry.blobs:
            return self._answer(200, self.registry.blobs[name], **{"Docker-Content-Digest": name})
        return self._answer(404 if kind else 200)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        if self.registry.closed:
            return self.do_GET()
        upload = str(uuid7())
        self.registry.uploads[upload] = b""
        return self._answer(202, Location=f"{urlsplit(self.path).path}{upload}")

    def do_PATCH(self) -> None:
        _, upload = self._named()
        self.registry.uploads[upload] += self._body()
        return self._answer(202, Location=self.path, Range=f"0-{len(self.registry.uploads[upload]) - 1}")

    def do_PUT(self) -> None:
        kind, name = self._named()
        body = self._body()
        if kind == "manifests":
            digest = _digest(body)
            for key in (name, digest):
                self.registry.manifests[key] = (self.headers["Content-Type"], body)
        else:
            (digest,) = parse_qs(urlsplit(self.path).query)["digest"]
            content = self.registry.uploads.pop(name) + body
            assert _digest(content) == digest
            self.registry.blobs[digest] = content
        return self._answer(201, Location=self.path, **{"Docker-Content-Digest": digest})

    def _named(self) -> tuple[str, str]:
        """What a request is about: manifests, blobs or uploads, and the last part of its path."""
        match = re.search(r"/(manifests|blobs|uploads)/([^/]+)$", urlsplit(self.path).path)
        return ("", "") if match is None else (match[1], match[2])

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = bytearray()
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(content)

    def _answer(self, status: int, content: bytes = b"", **headers: Any) -> None:
        self.send_response(status)
        for name, value in {"Docker-Distribution-Api-Version": "registry/2.0", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nobody reads it."""


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
