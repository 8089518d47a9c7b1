"""Built static files, listed once at startup. Only listed files are served, so no path can lead elsewhere."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from litestar import Request, Response

_ENCODINGS = {".br": "br", ".gz": "gzip"}
_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".woff2": "font/woff2",
    ".svg": "image/svg+xml",
}


@dataclass
class Asset:
    """One file with its precompressed versions."""

    path: Path
    media_type: str
    encoded: dict[str, Path] = field(default_factory=dict)


def listed(root: Path) -> dict[str, Asset]:
    """Every file under `root` by its address, which uses forward slashes and has no leading one."""
    files = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}
    assets = {name: Asset(path, media_type(name)) for name, path in files.items() if path.suffix not in _ENCODINGS}
    for name, path in files.items():
        original = assets.get(name.removesuffix(path.suffix))
        if path.suffix in _ENCODINGS and original is not None:
            original.encoded[_ENCODINGS[path.suffix]] = path
    return assets


def media_type(name: str) -> str:
    kind = _TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def respond(request: Request[Any, Any, Any], asset: Asset, cache: str) -> Response[bytes]:
    """The file, compressed if the browser accepts that."""
    accepted = {part.partition(";")[0].strip() for part in request.headers.get("accept-encoding", "").split(",")}
    headers = {"Cache-Control": cache, "Vary": "Accept-Encoding"}
    path = asset.path
    for encoding in ("br", "gzip"):
        if encoding in accepted and encoding in asset.encoded:
            path, headers["Content-Encoding"] = asset.encoded[encoding], encoding
            break
    return Response(path.read_bytes(), media_type=asset.media_type, headers=headers)
