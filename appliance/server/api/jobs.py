"""REST: bulk actions, backfills and their jobs, and the hold after an outage."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Router, get, post
from litestar.params import Parameter

from appliance.protocol.backfills import Backfill, BackfillPreview, BackfillRange
from appliance.protocol.hold import HoldView
from appliance.protocol.jobs import Bulk, JobView, Refusal
from appliance.protocol.message import Message, Page
from appliance.server.actions import backfills, hold, jobs
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import hold as hold_reads
from appliance.server.db.reads import jobs as reads
from appliance.server.db.reads import pages
from appliance.server.db.rows.jobs import JobRow
from appliance.server.db.session import Database
from appliance.server.errors import NotFound

_COUNTED = 10_000


class CancelJob(Message, kw_only=True):
    reason: str = ""


class ReleaseHold(Message, kw_only=True):
    reason: str = ""


class SkipHeld(Message, kw_only=True):
    reason: str = ""
    idempotency_key: str | None = None


@post("/bulk", opt={"permission": Permission.BULK, "body": Bulk}, sync_to_thread=True)
def bulk(database: Database, actor: Actor, body: bytes) -> JobView:
    """Do one thing to many runs. Up to 200 are done when this answers; with more, follow the job."""
    return _one(database, jobs.create_bulk(database, actor, decode(body, Bulk)))


@post(
    "/backfills/preview",
    opt={"permission": Permission.READ, "body": BackfillRange},
    status_code=200,
    sync_to_thread=True,
)
def preview(database: Database, body: bytes) -> BackfillPreview:
    """Which due times a backfill would give runs, and which have runs already."""
    return backfills.preview(database, decode(body, BackfillRange))


@post("/backfills", opt={"permission": Permission.BACKFILL, "body": Backfill}, sync_to_thread=True)
def backfill(database: Database, actor: Actor, body: bytes) -> JobView:
    """Create the runs that due times of the past lack, as a job."""
    return _one(database, jobs.create_backfill(database, actor, decode(body, Backfill)))


@get("/jobs", opt={"permission": Permission.READ, "items": JobView}, sync_to_thread=True)
def index(
    database: Database,
    state_given: Annotated[str | None, Parameter(query="state")] = None,
    limit: int | None = None,
    after: str | None = None,
) -> Page:
    """Jobs, newest first."""
    with database.read() as session:
        page = reads.page(session, pages.size(limit), after, state_given)
    return Page(items=[view(row) for row in page.rows], next=page.next)


@get("/jobs/{job_id:uuid}", opt={"permission": Permission.READ}, sync_to_thread=True)
def show(database: Database, job_id: UUID) -> JobView:
    """One job with its progress."""
    return _one(database, job_id)


@post(
    "/jobs/{job_id:uuid}/cancel",
    opt={"permission": Permission.BULK, "body": CancelJob},
    status_code=200,
    sync_to_thread=True,
)
def cancel(database: Database, actor: Actor, job_id: UUID, body: bytes) -> JobView:
    """End a job; what it has done stays."""
    return _one(database, jobs.cancel(database, actor, job_id, decode(body, CancelJob).reason))


@get("/system/hold", opt={"permission": Permission.READ}, sync_to_thread=True)
def show_hold(database: Database) -> HoldView:
    """Whether overdue runs are held after an outage, and how many."""
    with database.read() as session:
        found = hold.find(session)
        if found is None:
            return HoldView(held=False)
        runs = min(_COUNTED, hold_reads.overdue(session, found.before))
        return HoldView(held=True, before=found.before, since=found.since, runs=runs)


@post(
    "/system/hold/release",
    opt={"permission": Permission.MANAGE_HOLD, "body": ReleaseHold},
    status_code=200,
    sync_to_thread=True,
)
def release_hold(database: Database, actor: Actor, body: bytes) -> HoldView:
    """Let the held runs be handed out."""
    hold.release(database, actor, decode(body, ReleaseHold).reason)
    return HoldView(held=False)


@post(
    "/system/hold/skip",
    opt={"permission": Permission.MANAGE_HOLD, "body": SkipHeld},
    status_code=200,
    sync_to_thread=True,
)
def skip_held(database: Database, actor: Actor, body: bytes) -> JobView:
    """Mark all held runs as Skipped; the hold ends with the job."""
    asked = decode(body, SkipHeld)
    return _one(database, jobs.skip_held(database, actor, asked.reason, asked.idempotency_key))


def view(row: JobRow) -> JobView:
    """A job as scripts see it."""
    return JobView(
        id=row.id,
        kind=row.kind,
        state=row.state,
        message=row.message,
        total=row.total,
        done=row.done,
        refused=row.refused,
        refusals=[Refusal(**one) for one in row.progress.get("refusals", ())],
        cancel_requested=row.cancel_requested,
        created=row.created,
        updated=row.updated,
        created_by=row.created_by,
        request={key: value for key, value in row.request.items() if key != "scope"},
    )


def _one(database: Database, job_id: UUID) -> JobView:
    with database.read() as session:
        row = reads.get(session, job_id)
    if row is None:
        raise NotFound("There is no such job; jobs are forgotten thirty days after their end.")
    return view(row)


router = Router(
    "/",
    route_handlers=[bulk, preview, backfill, index, show, cancel, show_hold, release_hold, skip_held],
)
