"""REST: artifacts of runs. Runs make them by the run protocol, in turns of their own, so that they hold up no reports; people list, read and delete them.

What a run has made is not to be trusted: no browser runs scripts in it, takes it for something else, or lets it act for the person who reads it.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import quote
from uuid import UUID

from litestar import Request, Response, Router, delete, get, post

from appliance.protocol import artifact_kinds as kinds
from appliance.protocol.artifacts import MOST_BYTES, ArtifactMade, ArtifactView, MakeArtifact
from appliance.protocol.message import Page
from appliance.server.actions import artifacts as actions
from appliance.server.api import PREFIX, large_messages
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import artifacts as reads
from appliance.server.db.reads import pages
from appliance.server.db.reads.pages import RowPage
from appliance.server.db.rows.artifacts import ArtifactContent, ArtifactRow
from appliance.server.db.session import Database
from appliance.server.errors import Invalid

_SEALED_OFF = "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'"
_HARMLESS = {"Content-Security-Policy": f"{_SEALED_OFF}; frame-ancestors 'none'"}
_FRAMED = {
    "Content-Security-Policy": f"{_SEALED_OFF}; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
}


@get("/artifacts", opt={"permission": Permission.READ, "items": ArtifactView}, sync_to_thread=True)
def index(
    database: Database,
    project: str | None = None,
    flow_id: UUID | None = None,
    flow_run_id: UUID | None = None,
    key: str | None = None,
    limit: int | None = None,
    after: str | None = None,
) -> Page:
    """List artifacts, newest first, without their bytes: those of a project, a flow, or a run, or with `project`, the versions of a `key`."""
    with database.read() as session:
        if key is None:
            criteria = reads.Criteria(project, flow_id, flow_run_id)
            return _page(reads.page(session, criteria, pages.size(limit), after))
        if project is None or flow_id is not None or flow_run_id is not None:
            raise Invalid("The versions of a key are those of a whole project; say which, and nothing else.")
        return _page(reads.versions(session, project, key, pages.size(limit), after))


@get("/artifacts/latest", opt={"permission": Permission.READ, "items": ArtifactView}, sync_to_thread=True)
def latest(
    database: Database,
    project: str | None = None,
    prefix: str | None = None,
    limit: int | None = None,
    after: str | None = None,
) -> Page:
    """List the latest version of each key, those first that were made last. `prefix` is the beginning of the keys."""
    with database.read() as session:
        return _page(reads.latest(session, project, prefix, pages.size(limit), after))


@get("/artifacts/{artifact_id:uuid}", opt={"permission": Permission.READ}, sync_to_thread=True)
def show(database: Database, artifact_id: UUID) -> ArtifactView:
    """Get an artifact without its bytes."""
    with database.read() as session:
        return view(actions.one(session, artifact_id))


@delete("/artifacts/{artifact_id:uuid}", opt={"permission": Permission.DELETE_RUN}, sync_to_thread=True)
def remove(database: Database, actor: Actor, artifact_id: UUID) -> None:
    """Delete an artifact. The other versions of its key keep their numbers."""
    actions.remove(database, actor, artifact_id)


def routers(database: Database) -> list[Router]:
    """The routes for people, and those of the run protocol."""
    writing, reading = large_messages.writing(database), large_messages.reading()

    def read(artifact_id: UUID) -> ArtifactContent:
        with database.read() as session:
            return actions.content(session, artifact_id)

    @post(
        "/artifacts",
        opt={"permission": Permission.RUN_PROTOCOL, "body": MakeArtifact},
        status_code=200,
        request_max_body_size=large_messages.body_limit(MOST_BYTES),
    )
    async def make(request: Request[Actor, Any, Any], flow_run_id: UUID) -> ArtifactMade:
        """Make an artifact of this attempt, or replace the one in its slot. The same request again changes nothing."""
        body = await request.body()
        return await writing.take(partial(actions.make, database, flow_run_id), partial(decode, body, MakeArtifact))

    @get("/artifacts/{artifact_id:uuid}/content", opt={"permission": Permission.READ})
    async def content(artifact_id: UUID) -> Response[bytes]:
        """Download the bytes of an artifact, as they are: markdown, an image, JSON with `columns` and `rows` of a table, the URL of a link."""
        known = await reading.take(read, lambda: artifact_id)
        own = (known.file_name, known.key, known.version, str(artifact_id))
        name = quote(kinds.download_name(known.kind, known.media_type, *own), safe="")
        headers = {**_HARMLESS, "Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
        return Response(known.content, media_type=known.media_type, headers=headers)

    @get("/artifacts/{artifact_id:uuid}/page", opt={"permission": Permission.READ})
    async def page(artifact_id: UUID) -> Response[bytes]:
        """Get an artifact of the kind html as a page for a frame, which runs no scripts and loads nothing."""
        known = await reading.take(read, lambda: artifact_id)
        if known.kind != kinds.HTML:
            raise Invalid("Only artifacts of the kind html are pages; download the content of others.")
        return Response(known.content, media_type=known.media_type, headers=_FRAMED)

    of_runs = Router(f"{PREFIX}/flow-runs/{{flow_run_id:uuid}}", route_handlers=[make])
    return [Router(PREFIX, route_handlers=[index, latest, show, remove, content, page]), of_runs]


def view(row: ArtifactRow) -> ArtifactView:
    """The message about an artifact."""
    return ArtifactView(**{name: getattr(row, name) for name in ArtifactView.__struct_fields__})


def _page(page: RowPage[Any]) -> Page:
    return Page(items=[view(row) for row in page.rows], next=page.next)
