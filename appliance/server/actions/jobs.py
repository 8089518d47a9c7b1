"""Jobs: requests that take many transactions. They are created, carried out step by step by the process that locks their row,
and cancelled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Literal
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.kit.documents import JsonDocument
from appliance.protocol.backfills import Backfill
from appliance.protocol.jobs import OVER, Bulk
from appliance.protocol.life_cycle import DeleteTree
from appliance.server.actions import backfills, bulk, deletions, hold
from appliance.server.actions.flow_runs.change import history_message
from appliance.server.actions.keyed import keyed
from appliance.server.auth.guards import Permission, require
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import jobs as reads
from appliance.server.db.retries import retried
from appliance.server.db.rows.jobs import JobColumns, JobRow
from appliance.server.db.session import Database
from appliance.server.db.writes import jobs
from appliance.server.domain.rules import Rules
from appliance.server.errors import Conflict, NotFound
from appliance.server.events.outbox import announce

AT_ONCE = 200
"""How many runs a bulk request processes before it is answered; more are left to the service."""
KEPT = timedelta(days=30)
SKIP_HELD = "skip_held"
BACKFILL = "backfill"
_STEPS_AT_ONCE = 5
After = Literal["more", "waiting", "over"]


def create_bulk(db: Database, actor: Actor, request: Bulk, *, now: datetime | None = None, kind: str = "") -> UUID:
    """Do one thing to many runs. Up to 200 are done when this returns; more become a job for the services."""
    now = now or clock.now()
    return _at_once(db, _new_bulk(db, actor, request, kind, now=now), now)


@keyed("job.bulk")
def _new_bulk(db: Database, actor: Actor, request: Bulk, kind: str, *, now: datetime) -> UUID:
    bulk.check(actor, request)
    with db.read() as session:
        bulk.check_names(session, request)
        total = bulk.total(session, request, now)
    return _create(db, actor, kind or request.action, msgspec.to_builtins(request), total, now)


def _at_once(db: Database, job_id: UUID, now: datetime) -> UUID:
    """Do all of a short job."""
    with db.read() as session:
        job = reads.get(session, job_id)
    if job is not None and job.total <= AT_ONCE:
        for _ in range(AT_ONCE // bulk.BATCH + 1):
            if step(db, job_id, now) == "over":
                break
    return job_id


def create_backfill(db: Database, actor: Actor, request: Backfill, *, now: datetime | None = None) -> UUID:
    """Create missing runs for past due times, at the rate that the request allows, as a job."""
    now = now or clock.now()
    job_id = _new_backfill(db, actor, request, now=now)
    step(db, job_id, now)
    return job_id


@keyed("job.backfill")
def _new_backfill(db: Database, actor: Actor, request: Backfill, *, now: datetime) -> UUID:
    with db.read() as session:
        document = backfills.job_document(session, request, now)
    return _create(db, actor, BACKFILL, document, backfills.preview(db, request, now=now).count, now)


def skip_held(db: Database, actor: Actor, reason: str, key: str | None, *, now: datetime | None = None) -> UUID:
    """Mark all runs that are held as Skipped; the hold ends with the job."""
    now = now or clock.now()
    return _at_once(db, _new_skip(db, replace(actor, key=key or actor.key), reason, now=now), now)


@keyed("hold.skip")
def _new_skip(db: Database, actor: Actor, reason: str, *, now: datetime) -> UUID:
    require(actor, Permission.MANAGE_HOLD)
    with db.read() as session:
        current = hold.find(session)
    if current is None:
        raise Conflict("No runs are held.")
    request = Bulk(action="mark", state="Skipped", reason=reason, filter=hold.filter_of(current))
    return _new_bulk(db, actor, request, SKIP_HELD, now=now)


def delete(
    db: Database,
    actor: Actor,
    noun: deletions.Noun,
    id: UUID,
    request: DeleteTree,
    *,
    now: datetime | None = None,
) -> UUID:
    """Delete a flow or a project with everything that belongs to it, as a job; what is small is gone when this returns."""
    now = now or clock.now()
    job_id = _new_deletion(db, actor, noun, id, request, now=now)
    for _ in range(_STEPS_AT_ONCE):
        if step(db, job_id, now) != "more":
            break
    return job_id


@keyed("tree.delete")
def _new_deletion(
    db: Database, actor: Actor, noun: deletions.Noun, id: UUID, request: DeleteTree, *, now: datetime
) -> UUID:
    with db.write("tree.delete") as session:
        row = jobs.row(f"delete_{noun}", deletions.document(id, request), actor.name, now)
        ahead = db.rules.scheduled_runs_ahead
        job_id, total, name = deletions.begin(session, noun, id, request, row["id"], actor, now, ahead)
        if job_id != row["id"]:
            return job_id
        jobs.add(session, row | {"total": total, "request": row["request"] | {"name": name}})
        announce(session, "job", job_id, "job.changed", {"state": "queued"}, actor, now)
        return job_id


@keyed("job.cancel")
def cancel(db: Database, actor: Actor, job_id: UUID, reason: str = "", *, now: datetime | None = None) -> UUID:
    """End a job after its current step. Completed steps stay. Cancelling again changes nothing."""
    now = now or clock.now()
    with db.write("job.cancel") as session:
        job = _locked(session, job_id)
        if job.state in OVER and job.state != "cancelled":
            raise Conflict(f"The job has already ended: {job.state}.")
        if job.state not in OVER:
            message = history_message(f"Cancelled after {job.done + job.refused} of {job.total}", actor, reason)
            jobs.change(session, job_id, now, state="cancelled", message=message, cancel_requested=True)
            _announce(session, job, "cancelled", actor, now)
        return job_id


@retried
def step(db: Database, job_id: UUID, now: datetime) -> After:
    """Do the next part of a job, with its progress, in one transaction."""
    with db.write("job.step") as session:
        job = jobs.lock(session, job_id)
        if job is None or job.state in OVER:
            return "over"
        columns = _step_of(job.kind, db.rules)(session, job, now)
        if not columns:
            return "waiting"
        jobs.change(session, job_id, now, **columns)
        actor = Actor("user", job.created_by)
        if job.kind == SKIP_HELD and columns["state"] in OVER:
            hold.release_within(session, actor, "All held runs were skipped.", now)
        _announce(session, job, columns["state"], actor, now)
        return "over" if columns["state"] in OVER else "more"


def _step_of(kind: str, rules: Rules) -> Callable[[Session, JobRow, datetime], JobColumns]:
    if kind == BACKFILL:
        return partial(backfills.step, rules=rules)
    return deletions.step if kind in deletions.KINDS else bulk.step


@retried
def fail(db: Database, job_id: UUID, message: str, *, now: datetime) -> None:
    """End a job that can't continue, so that others can."""
    with db.write("job.fail") as session:
        job = _locked(session, job_id)
        jobs.change(session, job_id, now, state="failed", message=message)
        _announce(session, job, "failed", Actor("user", job.created_by), now)


def unfinished(db: Database) -> list[UUID]:
    """The jobs that have not ended, the oldest first."""
    with db.read() as session:
        return reads.unfinished(session)


@retried
def forget_old(db: Database, now: datetime) -> int:
    """Delete jobs that ended thirty days ago; how many."""
    with db.read() as session:
        if not reads.any_over_before(session, now - KEPT):
            return 0
    with db.write("job.forget") as session:
        return jobs.delete_old(session, now - KEPT, 500)


def _create(db: Database, actor: Actor, kind: str, document: JsonDocument, total: int, now: datetime) -> UUID:
    with db.write("job.create") as session:
        row = jobs.row(kind, document, actor.name, now) | {"total": total}
        jobs.add(session, row)
        announce(session, "job", row["id"], "job.changed", {"state": "queued"}, actor, now)
        return row["id"]


def _locked(session: Session, job_id: UUID) -> JobRow:
    job = jobs.lock(session, job_id)
    if job is None:
        raise NotFound("There is no such job; jobs are deleted thirty days after they end.")
    return job


def _announce(session: Session, job: JobRow, state: str, actor: Actor, now: datetime) -> None:
    announce(session, "job", job.id, "job.changed", {"state": state}, actor, now)
