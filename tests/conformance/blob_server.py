"""A stand-in on loopback for Google Cloud Storage and Azure Blob Storage: the few requests by which objects are put, read and looked for.

It proves what our backends ask obstore for and how they take its answers. It is no proof against the services themselves.
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

BUCKET, REFUSED = "box", "refused"
_UPLOAD = "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><UploadId>{}</UploadId></InitiateMultipartUploadResult>"
_COMPLETE = '<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>'


class Blobs:
    """Runs until `close()`. Any credentials will do, but the bucket `refused` takes none."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        handler = type("Handler", (_Handler,), {"objects": self._objects, "parts": {}})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, name="blobs", daemon=True).start()

    def google(self) -> dict[str, Any]:
        """The options by which a GCSResult finds it."""
        key = {
            "gcs_base_url": self._url,
            "disable_oauth": True,
            "client_email": "",
            "private_key": "",
            "private_key_id": "",
        }
        return {"options": {"service_account_key": json.dumps(key)}, "client_options": {"allow_http": True}}

    def azure(self) -> dict[str, Any]:
        """The options by which an AzureResult finds it."""
        options = {"account_name": "a", "account_key": "c2VjcmV0", "endpoint": f"{self._url}/a"}
        return {"options": options, "client_options": {"allow_http": True}}

    def environ(self, scheme: str) -> dict[str, str]:
        """The variables by which runs and agents find it, for gs or az."""
        if scheme == "gs":
            return {"GOOGLE_SERVICE_ACCOUNT_KEY": self.google()["options"]["service_account_key"]}
        options = self.azure()["options"]
        names = {"ACCOUNT_NAME": "account_name", "ACCOUNT_KEY": "account_key", "ENDPOINT": "endpoint"}
        return {f"AZURE_STORAGE_{name}": options[option] for name, option in names.items()} | {
            "AZURE_ALLOW_HTTP": "true"
        }

    def remove(self, end: str) -> None:
        """Remove the objects whose names end so: a service would be asked in ways that nothing of ours needs."""
        for name in [name for name in self._objects if name.endswith(end)]:
            del self._objects[name]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    objects: ClassVar[dict[str, bytes]]
    parts: ClassVar[dict[tuple[str, str], bytes]]
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        name, query = self._asked()
        if name is None:
            return
        part = query.get("partNumber") or query.get("blockid")
        if part:
            self.parts[name, part[0]] = body
        elif query.get("comp") == ["blocklist"]:
            blocks = re.findall(r"<(?:Latest|Uncommitted)>([^<]+)</", body.decode())
            self.objects[name] = b"".join(self.parts[name, block] for block in blocks)
        else:
            self.objects[name] = body
        self._answer(201 if "x-ms-version" in self.headers else 200)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        name, query = self._asked()
        if name is None:
            return
        if "uploads" in query:
            return self._answer(200, _UPLOAD.format("1").encode())
        numbers = re.findall(r"<PartNumber>(\d+)</PartNumber>", body)
        self.objects[name] = b"".join(self.parts[name, number] for number in numbers)
        self._answer(200, _COMPLETE.encode())

    def do_GET(self) -> None:
        name, _ = self._asked()
        if name is not None:
            found = self.objects.get(name)
            self._answer(404 if found is None else 200, found or b"")

    do_HEAD = do_GET

    def _asked(self) -> tuple[str | None, dict[str, list[str]]]:
        parts = urlsplit(self.path)
        path = unquote(parts.path.removeprefix("/a/" if "x-ms-version" in self.headers else "/"))
        bucket = path.partition("/")[0]
        if bucket != BUCKET:
            self._answer(403 if bucket == REFUSED else 404)
            return None, {}
        store = "azure" if "x-ms-version" in self.headers else "google"
        return f"{store}/{path}", parse_qs(parts.query, keep_blank_values=True)

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.send_header("etag", '"e"')
        self.send_header("last-modified", "Sat, 31 Jan 2026 00:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nobody reads it."""
