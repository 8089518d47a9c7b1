"""REST: registering and reading flows."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from litestar import Router, get, post
from sqlalchemy.orm import Session

from appliance.protocol.flows import Registered, Registration
from appliance.protocol.message import Page
from appliance.server.actions import flows as actions
from appliance.server.api.bodies import decode
from appliance.server.api.views import FlowView, VersionView
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import flows, pages
from appliance.server.db.rows.flows import FlowRow, VersionSummary
from appliance.server.db.session import Database
from appliance.server.errors import NotFound


@post("/", opt={"permission": Permission.REGISTER_FLOW, "body": Registration}, sync_to_thread=True)
def register(database: Database, actor: Actor, body: bytes) -> Registered:
    """Register a flow's metadata. Registering the same content again creates no new version."""
    return actions.register(database, actor, decode(body, Registration))


@get("/", opt={"permission": Permission.READ, "items": FlowView}, sync_to_thread=True)
def index(
    database: Database,
    project: str | None = None,
    name: str | None = None,
    limit: int | None = None,
    after: str | None = None,
) -> Page:
    """List flows, sorted by name. `name` matches any part of a flow's name."""
    with database.read() as session:
        page = flows.page(session, pages.size(limit), after, project, name)
        return Page(items=_views(session, page.rows), next=page.next)


@get("/{flow_id:uuid}", opt={"permission": Permission.READ}, sync_to_thread=True)
def show(database: Database, flow_id: UUID) -> FlowView:
    """Get one flow with the parameters of its latest version."""
    with database.read() as session:
        views = _views(session, flows.by_ids(session, [flow_id]))
    if not views:
        raise NotFound("There is no such flow; it may have been deleted.")
    return views[0]


@get("/{flow_id:uuid}/versions", opt={"permission": Permission.READ, "items": VersionView}, sync_to_thread=True)
def versions(database: Database, flow_id: UUID, limit: int | None = None, after: str | None = None) -> Page:
    """List a flow's versions, newest first, with what changed and which older version each restores."""
    with database.read() as session:
        if not flows.by_ids(session, [flow_id]):
            raise NotFound("There is no such flow; it may have been deleted.")
        page = flows.version_page(session, flow_id, pages.size(limit), after)
        return Page(items=[_version(row) for row in page.rows], next=page.next)


def _version(row: VersionSummary) -> VersionView:
    return VersionView(
        id=row.id,
        number=row.number,
        restores=row.restores,
        changes=row.changes or [],
        labels=row.labels,
        sdk_version=row.sdk_version,
        created=row.created,
        created_by=row.created_by,
    )


def _views(session: Session, rows: Sequence[FlowRow]) -> list[FlowView]:
    ids = [row.id for row in rows]
    names = flows.names(session, ids)
    latest = {row.flow_id: row for row in flows.newest_versions(session, ids)}
    return [
        FlowView(
            id=row.id,
            name=row.name,
            project=names[row.id][1],
            paused=row.paused,
            archived=row.archived,
            created=row.created,
            version=latest[row.id].number if row.id in latest else 0,
            parameters=latest[row.id].parameters if row.id in latest else [],
        )
        for row in rows
    ]


router = Router("/flows", route_handlers=[register, index, show, versions])
