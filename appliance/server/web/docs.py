"""Serving the built documentation under /docs; it needs no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litestar import Request, Response, Router, get
from litestar.exceptions import NotFoundException

from appliance.server.auth.guards import Permission
from appliance.server.web.files import listed, respond

SITE = Path(__file__).parent / "site"


def router(root: Path = SITE) -> Router:
    """The documentation's routes over the files that are there now; without any, every address is unknown."""
    files = listed(root) if root.is_dir() else {}

    def answer(request: Request[Any, Any, Any], name: str) -> Response[bytes]:
        for candidate in (name, f"{name}/index.html".lstrip("/")):
            if candidate in files:
                return respond(request, files[candidate], "no-cache")
        raise NotFoundException

    @get("/", opt={"permission": Permission.PUBLIC}, include_in_schema=False, sync_to_thread=True)
    def home(request: Request[Any, Any, Any]) -> Response[bytes]:
        return answer(request, "")

    @get("/{path:path}", opt={"permission": Permission.PUBLIC}, include_in_schema=False, sync_to_thread=True)
    def page(request: Request[Any, Any, Any], path: str) -> Response[bytes]:
        return answer(request, path.strip("/"))

    return Router("/docs", route_handlers=[home, page])
