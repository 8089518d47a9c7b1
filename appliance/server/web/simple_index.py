"""The package index at /simple, from which pip installs the SDK where there is no other: PEP 503 (HTML), PEP 691 (JSON), and PEP 658 (metadata).

All references are relative, so that the index works under any path prefix that a proxy removes.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from html import escape
from typing import Any
from urllib.parse import quote

import msgspec
from anyio import CapacityLimiter, to_thread
from litestar import Request, Response, Router, get
from litestar.response import Redirect, Stream

from appliance.server.auth.guards import Permission
from appliance.server.errors import NotFound
from appliance.server.web.wheels import METADATA, Facts, Opened, Wheel, Wheels, normalized

HTML, JSON = "application/vnd.pypi.simple.v1+html", "application/vnd.pypi.simple.v1+json"
_ALIASES = {"application/vnd.pypi.simple.latest+json": JSON, "application/vnd.pypi.simple.latest+html": HTML}
_KINDS = ["text/html", HTML, JSON, *_ALIASES]
_VERSION = "1.1"
_CHUNK = 256 * 1024
_LONGEST_ACCEPT = 1024
_THREADS = 4
"""For all readers together, so that the hashing of large wheels holds up nothing but this index."""


def router(wheels: Wheels, public: bool) -> Router:
    """The index: public, or only for those who may read packages, who send a token as the password of the user __token__."""
    permission = Permission.PUBLIC if public else Permission.READ_PACKAGES
    index = _Index(wheels, public)

    @get("/", opt={"permission": permission}, include_in_schema=False)
    async def home(request: Request[Any, Any, Any]) -> Response[Any]:
        return await index.answer(request, "")

    @get("/{path:path}", opt={"permission": permission}, include_in_schema=False)
    async def page(request: Request[Any, Any, Any], path: str) -> Response[Any]:
        return await index.answer(request, path.lstrip("/"))

    return Router("/simple", route_handlers=[home, page])


class _Index:
    def __init__(self, wheels: Wheels, public: bool) -> None:
        self._wheels = wheels
        self._cache = "no-cache" if public else "private, no-cache"
        self._limiter = CapacityLimiter(_THREADS)

    async def answer(self, request: Request[Any, Any, Any], path: str) -> Response[Any]:
        """What is at an address below the index: the list of projects, a project, a wheel, or its metadata."""
        is_folder = request.scope["raw_path"].endswith(b"/")
        name, _, file = path.rstrip("/").partition("/")
        project = normalized(name) if name else ""
        if project is None:
            raise NotFound("The package index has no such project.")
        if file:
            return await self._file(request, project, file)
        if not is_folder or name != project:
            target = f"{project or 'simple'}/"
            return Redirect(f"../{target}" if is_folder else target, status_code=307)
        content = await to_thread.run_sync(self._page, name, _kind(request), limiter=self._limiter)
        return self._known(request, content, _kind(request))

    def _page(self, name: str, kind: str) -> bytes:
        if not name:
            projects = self._wheels.projects()
            return _projects_json(projects) if kind == JSON else _projects_html(projects)
        wheels = [(wheel, facts) for wheel in self._wheels.of(name) if (facts := self._wheels.facts(wheel)) is not None]
        if not wheels:
            raise NotFound(
                f"The package index has no wheel of {name}; an administrator can put one into a folder of APPLIANCE_WHEELS."
            )
        return _project_json(name, wheels) if kind == JSON else _project_html(name, wheels)

    def _known(self, request: Request[Any, Any, Any], content: bytes, kind: str) -> Response[Any]:
        """The page, unless the client has it already."""
        tag = f'"{hashlib.sha256(content).hexdigest()}"'
        headers = {"ETag": tag, "Cache-Control": self._cache, "Vary": "Accept"}
        if _has(request, tag):
            return Response(b"", status_code=304, headers=headers, media_type=kind)
        return Response(content, headers=headers, media_type=kind)

    async def _file(self, request: Request[Any, Any, Any], project: str, name: str) -> Response[Any]:
        opened = await to_thread.run_sync(self._open, project, name, limiter=self._limiter)
        headers = {"ETag": opened.tag, "Cache-Control": self._cache, "Content-Length": str(opened.size)}
        if _has(request, opened.tag):
            opened.file.close()
            del headers["Content-Length"]
            return Response(b"", status_code=304, headers=headers)
        return Stream(self._content(opened), headers=headers, media_type="application/octet-stream")

    def _open(self, project: str, name: str) -> Opened:
        is_metadata = name.endswith(f".whl{METADATA}")
        wheel_name = name.removesuffix(METADATA) if is_metadata else name
        wheel = next((wheel for wheel in self._wheels.of(project) if wheel.path.name == wheel_name), None)
        opened = None if wheel is None else self._wheels.open(wheel, metadata=is_metadata)
        if opened is None:
            raise NotFound("The package index has no such file.")
        return opened

    async def _content(self, opened: Opened) -> AsyncIterator[bytes]:
        """The file as it is sent: no more than was said, should it grow meanwhile."""
        left = opened.size
        try:
            while left and (chunk := await self._read(opened, min(left, _CHUNK))):
                left -= len(chunk)
                yield chunk
        finally:
            opened.file.close()

    async def _read(self, opened: Opened, size: int) -> bytes:
        return await to_thread.run_sync(opened.file.read, size, limiter=self._limiter)


def _kind(request: Request[Any, Any, Any]) -> str:
    """The kind of page that the client prefers; HTML for those that say nothing, or too much."""
    if len(request.headers.get("accept", "")) > _LONGEST_ACCEPT:
        return "text/html"
    match = request.accept.best_match(_KINDS, default="text/html")
    return _ALIASES.get(match, match)


def _has(request: Request[Any, Any, Any], tag: str) -> bool:
    sent = request.headers.get("if-none-match", "")
    return sent.strip() == "*" or tag in (part.strip().removeprefix("W/") for part in sent.split(","))


def _projects_json(projects: list[str]) -> bytes:
    return msgspec.json.encode({"meta": {"api-version": _VERSION}, "projects": [{"name": name} for name in projects]})


def _projects_html(projects: list[str]) -> bytes:
    return _html("Packages", [f'<a href="{quote(name)}/">{escape(name)}</a>' for name in projects])


def _project_json(name: str, wheels: list[tuple[Wheel, Facts]]) -> bytes:
    files: list[dict[str, Any]] = []
    for wheel, facts in wheels:
        file = wheel.path.name
        entry = {"filename": file, "url": quote(file), "size": facts.size, "hashes": {"sha256": facts.sha256}}
        if facts.requires_python is not None:
            entry["requires-python"] = facts.requires_python
        if facts.metadata is not None:
            entry["core-metadata"] = {"sha256": facts.metadata}  # its former name makes pip 23.0 fail (PEP 714)
        files.append(entry)
    versions = [str(version) for version in sorted({wheel.version for wheel, _facts in wheels})]
    return msgspec.json.encode({"meta": {"api-version": _VERSION}, "name": name, "versions": versions, "files": files})


def _project_html(name: str, wheels: list[tuple[Wheel, Facts]]) -> bytes:
    links: list[str] = []
    for wheel, facts in wheels:
        file, more = wheel.path.name, ""
        if facts.requires_python is not None:
            more += f' data-requires-python="{escape(facts.requires_python)}"'
        if facts.metadata is not None:
            more += f' data-core-metadata="sha256={facts.metadata}" data-dist-info-metadata="sha256={facts.metadata}"'
        links.append(f'<a href="{quote(file)}#sha256={facts.sha256}"{more}>{escape(file)}</a>')
    return _html(f"Wheels of {name}", links)


def _html(title: str, links: list[str]) -> bytes:
    body = "<br>\n".join(links)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="pypi:repository-version" content="{_VERSION}">\n'
        f"<title>{escape(title)}</title>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    ).encode()
