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
    return _TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def respond(request: Request[Any, Any, Any], asset: Asset, cache: str) -> Response[bytes]:
    """The file, compressed if the browser accepts that."""
    accepted = request.headers.get("accept-encoding", "")
    headers = {"Cache-Control": cache, "Vary": "Accept-Encoding"}
    path = asset.path
    for encoding in ("br", "gzip"):
        if encoding in asset.encoded and accepts(accepted, encoding):
            path, headers["Content-Encoding"] = asset.encoded[encoding], encoding
            break
    return Response(path.read_bytes(), media_type=asset.media_type, headers=headers)


def accepts(header: str, encoding: str) -> bool:
    """Does the Accept-Encoding header allow this encoding? A weight of 0 forbids it; `*` stands for those that are not named."""
    weights: dict[str, bool] = {}
    for part in header.split(","):
        name, _, weight = part.partition(";")
        value = weight.strip().removeprefix("q=").strip()
        weights[name.strip().lower()] = not value or value.strip("0.") != ""
    return weights.get(encoding, weights.get("*", False))
