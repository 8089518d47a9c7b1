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
from appliance.server.api import PREFIX
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import hold as hold_reads
from appliance.server.db.reads import jobs as reads
from appliance.server.db.reads import pages
from appliance.server.db.rows.jobs import JobRow
from appliance.server.db.session import Database
from appliance.server.errors import NotFound

_MAX_COUNT = 10_000


class CancelJob(Message, kw_only=True):
    reason: str = ""


class ReleaseHold(Message, kw_only=True):
    reason: str = ""


class SkipHeld(Message, kw_only=True):
    reason: str = ""
    idempotency_key: str | None = None


@post("/bulk", opt={"permission": Permission.BULK, "body": Bulk}, sync_to_thread=True)
def bulk(database: Database, actor: Actor, body: bytes) -> JobView:
    """Perform one action on many runs. Up to 200 are done before the response; for more, follow the job's progress."""
    return one(database, jobs.create_bulk(database, actor, decode(body, Bulk)))


@post(
    "/backfills/preview",
    opt={"permission": Permission.READ, "body": BackfillRange},
    status_code=200,
    sync_to_thread=True,
)
def preview(database: Database, body: bytes) -> BackfillPreview:
    """Preview the due times that a backfill would create runs for, and those that already have runs."""
    return backfills.preview(database, decode(body, BackfillRange))


@post("/backfills", opt={"permission": Permission.BACKFILL, "body": Backfill}, sync_to_thread=True)
def backfill(database: Database, actor: Actor, body: bytes) -> JobView:
    """Create missing runs for past due times, as a job."""
    return one(database, jobs.create_backfill(database, actor, decode(body, Backfill)))


@get("/jobs", opt={"permission": Permission.READ, "items": JobView}, sync_to_thread=True)
def index(
    database: Database,
    state_filter: Annotated[str | None, Parameter(query="state")] = None,
    limit: int | None = None,
    after: str | None = None,
) -> Page:
    """List jobs, newest first."""
    with database.read() as session:
        page = reads.page(session, pages.size(limit), after, state_filter)
    return Page(items=[view(row) for row in page.rows], next=page.next)


@get("/jobs/{job_id:uuid}", opt={"permission": Permission.READ}, sync_to_thread=True)
def show(database: Database, job_id: UUID) -> JobView:
    """Get one job with its progress."""
    return one(database, job_id)


@post(
    "/jobs/{job_id:uuid}/cancel",
    opt={"permission": Permission.BULK, "body": CancelJob},
    status_code=200,
    sync_to_thread=True,
)
def cancel(database: Database, actor: Actor, job_id: UUID, body: bytes) -> JobView:
    """Cancel a job. What it has already done remains."""
    return one(database, jobs.cancel(database, actor, job_id, decode(body, CancelJob).reason))


@get("/system/hold", opt={"permission": Permission.READ}, sync_to_thread=True)
def show_hold(database: Database) -> HoldView:
    """Whether overdue runs are held after an outage, and how many."""
    with database.read() as session:
        active = hold.find(session)
        if active is None:
            return HoldView(held=False)
        runs = min(_MAX_COUNT, hold_reads.overdue(session, active.before))
        return HoldView(held=True, before=active.before, since=active.since, runs=runs)


@post(
    "/system/hold/release",
    opt={"permission": Permission.MANAGE_HOLD, "body": ReleaseHold},
    status_code=200,
    sync_to_thread=True,
)
def release_hold(database: Database, actor: Actor, body: bytes) -> HoldView:
    """Release the held runs, so that agents can start them."""
    hold.release(database, actor, decode(body, ReleaseHold).reason)
    return HoldView(held=False)


@post(
    "/system/hold/skip",
    opt={"permission": Permission.MANAGE_HOLD, "body": SkipHeld},
    status_code=200,
    sync_to_thread=True,
)
def skip_held(database: Database, actor: Actor, body: bytes) -> JobView:
    """Mark all held runs Skipped. The hold ends when the job is done."""
    request = decode(body, SkipHeld)
    return one(database, jobs.skip_held(database, actor, request.reason, request.idempotency_key))


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
        request=reads.public_request(row),
    )


def one(database: Database, job_id: UUID) -> JobView:
    """A job as it is now. Raises NotFound."""
    with database.read() as session:
        row = reads.get(session, job_id)
    if row is None:
        raise NotFound("There is no such job; jobs are deleted thirty days after they end.")
    return view(row)


router = Router(
    PREFIX,
    route_handlers=[bulk, preview, backfill, index, show, cancel, show_hold, release_hold, skip_held],
)
