"""A registry of images on the loopback, which engines take for insecure and ask over HTTP: images that are not there, not for everybody, for another processor,
or larger than a disk."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


class StubRegistry:
    """Serves until it is closed. `asked` are the repositories of the manifests that were asked for."""

    def __init__(self, large: int) -> None:
        """`large`: bytes of the one file of the image `large`."""
        self.asked: list[str] = []
        self._blobs: dict[str, bytes] = {}
        self._manifests = {"large": self._image(large), "foreign": self._foreign()}
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(*registry.answer(self.path))

            do_HEAD = do_GET

            def _send(self, status: int, kind: str, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Docker-Content-Digest", _digest(content))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            def log_message(self, *_arguments: object) -> None: ...

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.name = f"127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """The status, type and content for a path of the API."""
        words = path.strip("/").split("/")
        if words == ["v2"]:
            return 200, "application/json", b"{}"
        _, repository, kind, reference = words
        if kind == "blobs":
            return 200, "application/octet-stream", self._blobs[reference]
        self.asked.append(repository)
        if repository in self._manifests:
            return 200, *self._manifests[repository]
        if repository == "denied":
            return 403, "application/json", _error("DENIED", "requested access to the resource is denied")
        return 404, "application/json", _error("MANIFEST_UNKNOWN", "manifest unknown")

    def _image(self, size: int) -> tuple[str, bytes]:
        target = io.BytesIO()
        with tarfile.open(fileobj=target, mode="w") as archive:
            member = tarfile.TarInfo("large")
            member.size = size
            archive.addfile(member, io.BytesIO(bytes(size)))
        layer = target.getvalue()
        facts = {"architecture": "amd64", "os": "linux", "config": {}}
        config = json.dumps({**facts, "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]}}).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._blob("application/vnd.docker.container.image.v1+json", config),
            "layers": [self._blob("application/vnd.docker.image.rootfs.diff.tar.gzip", gzip.compress(layer, 1))],
        }
        return _MANIFEST, json.dumps(manifest).encode()

    def _foreign(self) -> tuple[str, bytes]:
        platform = {"architecture": "s390x", "os": "linux"}
        entry = {"mediaType": _MANIFEST, "size": 2, "digest": _digest(b"{}"), "platform": platform}
        return _LIST, json.dumps({"schemaVersion": 2, "mediaType": _LIST, "manifests": [entry]}).encode()

    def _blob(self, kind: str, content: bytes) -> dict[str, Any]:
        self._blobs[_digest(content)] = content
        return {"mediaType": kind, "size": len(content), "digest": _digest(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _error(code: str, message: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()
