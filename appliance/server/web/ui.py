"""Serves the built UI: one page for all its addresses, with the facts that it needs before its first request.

The page refers to its files relative to its own address, so one build works under any path prefix that a proxy removes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from litestar import Request, Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.response import Redirect

from appliance.config import Settings
from appliance.kit import clock
from appliance.kit.documents import JsonDocument
from appliance.kit.version import VERSION
from appliance.server.actions import saved_views, setup
from appliance.server.auth import passwords, sessions
from appliance.server.auth.callers import RequestCredentials, identify
from appliance.server.auth.guards import Permission, permissions_of
from appliance.server.db.session import Database
from appliance.server.errors import Unauthenticated
from appliance.server.web.files import listed, respond

STATIC = Path(__file__).parent / "static"
PLACEHOLDER = "<!--boot-->"
ROOT = '"./'
"""How a reference to a file of the build begins in the built page."""
_IMMUTABLE = "public, max-age=31536000, immutable"
_NOT_BUILT = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Appliance</title>'
    "<p>The user interface has not been built; run <code>make ui</code> and restart the server.</p></html>"
)
PAGES = frozenset(
    {
        "",
        "inbox",
        "index.html",
        "runs",
        "logs",
        "flows",
        "projects",
        "agents",
        "automations",
        "limits",
        "secrets",
        "jobs",
        "people",
        "login",
        "password",
        "setup",
        "system",
    }
)
"""The first segments of the UI's addresses (ui/src/router.tsx)."""
_FORMERLY = {"flow-run": "runs", "flow": "flows", "agents": "agents", "concurrency": "limits"}
_FORMER = re.compile(r"(?:[\w-]+/)?(?:(flow-run|flow)/([0-9a-f-]{36})|(agents|concurrency))", re.ASCII)
"""The addresses of Prefect 1.x, which may begin with a tenant's name; links in messages of a site that moved still work."""
_MACHINES = re.compile(r"(api|graphql|metrics|health|ready|live|assets)", re.IGNORECASE)
"""How the addresses begin where programs ask. A mistyped one must not look like an answer."""


def router(root: Path = STATIC, opened: Callable[[], None] = lambda: None) -> Router:
    """The UI's routes for the files that exist now. `opened` is called for each page, before it is sent."""
    files = listed(root) if root.is_dir() else {}
    page = files["index.html"].path.read_text(encoding="utf-8") if "index.html" in files else None

    @get("/assets/{path:path}", opt={"permission": Permission.PUBLIC}, include_in_schema=False, sync_to_thread=True)
    def assets(request: Request[Any, Any, Any], path: str) -> Response[bytes]:
        asset = files.get("assets/" + path.lstrip("/"))
        if asset is None:
            raise NotFoundException
        return respond(request, asset, _IMMUTABLE)

    def page_or_file(
        request: Request[Any, Any, Any], database: Database, settings: Settings, name: str
    ) -> Response[Any]:
        if name != "index.html" and name in files:
            return respond(request, files[name], "no-cache")
        is_known = is_page(name)
        if not is_known and (_MACHINES.match(name) or "text/html" not in request.headers.get("accept", "")):
            raise NotFoundException
        if not is_known and (former := _FORMER.fullmatch(name)):
            kind, id, page_of_all = former.groups()
            address = f"{_FORMERLY[kind]}/{id}" if kind else _FORMERLY[page_of_all]
            return Redirect(_up(request) + address, status_code=301)
        content = _NOT_BUILT
        opened()
        if page is not None:
            content = page.replace(ROOT, f'"{_up(request)}').replace(PLACEHOLDER, _boot(request, database, settings))
        headers = {"Cache-Control": "no-cache"}
        status = 200 if is_known else 404  # the page says so too
        return Response(content, status_code=status, media_type="text/html", headers=headers)

    @get("/", opt={"permission": Permission.PUBLIC}, include_in_schema=False, sync_to_thread=True)
    def home(request: Request[Any, Any, Any], database: Database, settings: Settings) -> Response[Any]:
        return page_or_file(request, database, settings, "")

    @get("/{path:path}", opt={"permission": Permission.PUBLIC}, include_in_schema=False, sync_to_thread=True)
    def anywhere(request: Request[Any, Any, Any], database: Database, settings: Settings, path: str) -> Response[Any]:
        return page_or_file(request, database, settings, path.strip("/"))

    return Router("/", route_handlers=[assets, home, anywhere])


def is_page(path: str) -> bool:
    """Is this an address of the UI?"""
    return path.strip("/").partition("/")[0] in PAGES


def _up(request: Request[Any, Any, Any]) -> str:
    """The way from the requested address to the UI's root. Browsers count segments before decoding them."""
    depth = request.scope["raw_path"].partition(b"?")[0].count(b"/") - 1
    return "../" * depth or "./"


def _boot(request: Request[Any, Any, Any], database: Database, settings: Settings) -> str:
    """The facts that the UI has before its first request. `<` is escaped, so that no name can close the element."""
    facts = {
        "version": VERSION,
        "siteName": settings.site_name,
        "setupRequired": setup.setup_required(database),
        "shortestPassword": passwords.shortest(settings.development),
        **_of_user(request, database),
    }
    text = (
        msgspec.json.encode(facts)
        .decode()
        .replace("<", "\\u003c")
        .replace("\u2028", "\\u2028")
        .replace("\u2029", "\\u2029")
    )
    return f'<script type="application/json" id="boot">{text}</script>'


def _of_user(request: Request[Any, Any, Any], database: Database) -> JsonDocument:
    """Who is signed in, and the views that they have saved, which decide what the page of runs shows first."""
    try:
        caller = identify(database, RequestCredentials(cookie=request.cookies.get(sessions.COOKIE)), clock.now())
    except Unauthenticated:
        caller = None
    if caller is None or caller.actor.user_id is None:
        return {"me": None}
    me = {
        "username": caller.actor.name,
        "role": caller.actor.role,
        "permissions": sorted(permission.value for permission in permissions_of(caller.actor)),
        "csrfToken": caller.credential.csrf_token,
        "mustChangePassword": caller.actor.must_change_password,
    }
    return {"me": me, "views": saved_views.of_user(database, caller.actor.user_id)}
