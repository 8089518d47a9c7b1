"""REST: failures that people have marked as known."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from litestar import Router, delete, get, post

from appliance.kit import clock
from appliance.protocol.known_failures import KnownFailureView, MarkFailure
from appliance.protocol.message import Page
from appliance.server.actions import known_failures as actions
from appliance.server.api import PREFIX
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import known_failures as reads
from appliance.server.db.reads import pages
from appliance.server.db.rows.known_failures import KnownFailureRow
from appliance.server.db.session import Database
from appliance.server.domain.failures import is_known_at
from appliance.server.errors import NotFound


@get("/known-failures", opt={"permission": Permission.READ, "items": KnownFailureView}, sync_to_thread=True)
def index(
    database: Database,
    project: str | None = None,
    resolved: bool = False,
    limit: int | None = None,
    after: str | None = None,
) -> Page:
    """List known failures, newest first: the open ones, or with `resolved` those that a success of their flow has resolved."""
    now = clock.now()
    with database.read() as session:
        page = reads.page(session, pages.size(limit), after, project, resolved)
        return Page(items=[_view(row, now) for row in page.rows], next=page.next)


@post("/known-failures", opt={"permission": Permission.MARK_RUN, "body": MarkFailure}, sync_to_thread=True)
def mark(database: Database, actor: Actor, body: bytes) -> KnownFailureView:
    """Mark why a run failed as known. Until the flow succeeds, or until the given time, it no longer calls for attention."""
    known = actions.mark(database, actor, decode(body, MarkFailure))
    with database.read() as session:
        row = reads.one(session, known)
        if row is None:
            raise NotFound("There is no such known failure; it may have been removed.")
        return _view(row, clock.now())


@delete("/known-failures/{known_failure_id:uuid}", opt={"permission": Permission.MARK_RUN}, sync_to_thread=True)
def unmark(database: Database, actor: Actor, known_failure_id: UUID) -> None:
    """Remove a known failure, so that it calls for attention again."""
    actions.unmark(database, actor, known_failure_id)


def _view(row: KnownFailureRow, now: datetime) -> KnownFailureView:
    return KnownFailureView(
        id=row.id,
        project=row.project,
        flow_id=row.flow_id,
        flow=row.flow,
        owner=row.owner,
        task_slug=row.task_slug,
        message=row.message,
        fingerprint=row.fingerprint,
        reason=row.reason,
        until=row.until,
        expired=not is_known_at(row.until, now),
        marked_by=row.marked_by,
        marked_at=row.marked_at,
        last_run_id=row.last_run_id,
        last_seen=row.last_seen,
        resolved_at=row.resolved_at,
        resolved_by_run=row.resolved_by_run,
    )


router = Router(PREFIX, route_handlers=[index, mark, unmark])
