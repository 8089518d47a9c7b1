"""Serves the built documentation under /docs, which needs no network.

Its pages contain small inline scripts and its search writes HTML, so they have their own content security policy. It
allows this server's scripts, and exactly the inline scripts of the page.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from litestar import Request, Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.response import Redirect

from appliance.server.auth.guards import Permission
from appliance.server.web.files import listed, respond

SITE = Path(__file__).parent / "site"
_POLICY = "Content-Security-Policy"


def router(root: Path = SITE) -> Router:
    """The documentation's routes for the files that exist now. If there are none, every address is unknown."""
    files = listed(root) if root.is_dir() else {}

    def send(request: Request[Any, Any, Any], name: str) -> Response[Any]:
        answer = respond(request, files[name], "no-cache")
        answer.headers[_POLICY] = content_policy(files[name].path)
        return answer

    def answer(request: Request[Any, Any, Any], name: str) -> Response[Any]:
        if name in files:
            return send(request, name)
        folder = f"{name}/index.html".lstrip("/")
        if folder not in files:
            raise NotFoundException
        if not request.scope["raw_path"].endswith(b"/"):  # links on a page are relative to its folder
            return Redirect(f"{(name or 'docs').rpartition('/')[2]}/", status_code=307)  # relative, for any path prefix
        return send(request, folder)

    @get("/", opt={"permission": Permission.PUBLIC}, include_in_schema=False, sync_to_thread=True)
    def home(request: Request[Any, Any, Any]) -> Response[Any]:
        return answer(request, "")

    @get("/{path:path}", opt={"permission": Permission.PUBLIC}, include_in_schema=False, sync_to_thread=True)
    def page(request: Request[Any, Any, Any], path: str) -> Response[Any]:
        return answer(request, path.strip("/"))

    return Router("/docs", route_handlers=[home, page], response_headers={_POLICY: content_policy()})


@cache
def content_policy(file: Path | None = None) -> str:
    """The policy: what the browser may load and run on this page. Pages don't change while the server runs."""
    page = file.read_text(encoding="utf-8") if file is not None and file.suffix == ".html" else ""
    scripts = " ".join(["'self'", *sorted(inline_scripts(page))])
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    )


def inline_scripts(page: str) -> set[str]:
    """The policy sources for the page's inline scripts."""
    reader = _Scripts()
    reader.feed(page)
    reader.close()
    digests = (hashlib.sha256(text.encode()).digest() for text in reader.scripts)
    return {f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests}


class _Scripts(HTMLParser):
    """Collects the text of script elements that have no src and contain code, not data."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.scripts: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._inside = (
            tag == "script" and "src" not in values and values.get("type") in (None, "", "text/javascript", "module")
        )
        if self._inside:
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._inside = False
