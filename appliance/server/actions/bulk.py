"""One thing done to many runs, in batches: each batch is a transaction that also notes how far the job has come."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from appliance.protocol.flow_runs import ChangeFlowRun
from appliance.protocol.jobs import Bulk
from appliance.protocol.run_filter import RunFilter
from appliance.protocol.verbs import VERBS
from appliance.server.actions.flow_runs.change import Change, once_within
from appliance.server.actions.flow_runs.perform import change_of
from appliance.server.auth.guards import Permission, require
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import flow_runs as reads
from appliance.server.db.rows.jobs import JobColumns, JobRow
from appliance.server.errors import Conflict, Invalid, NotFound

BATCH = 50
MOST_REFUSALS = 100
"""So many refusals are kept with their reasons; of the others the number."""


def check(actor: Actor, request: Bulk) -> None:
    """Raise Invalid or Forbidden for a request that could not be carried out on any run."""
    require(actor, Permission(VERBS[request.action].permission))
    if (request.ids is None) == (request.filter is None):
        raise Invalid("Name the runs by their ids or by a filter.")
    if request.filter is not None and request.filter == RunFilter(include_future=request.filter.include_future):
        raise Invalid("The filter has no condition, so it would find every run; name at least one.")
    for time in (request.filter.since, request.filter.until) if request.filter is not None else ():
        if time is not None and time.tzinfo is None:
            raise Invalid("A time of the filter must have an offset, like 2026-01-31T06:30:00+00:00.")
    if request.action == "mark" and request.state is None:
        raise Invalid("Name the state to mark the runs as.")
    change_of(request.action, actor, of_each(request))


def of_each(request: Bulk, key: str | None = None) -> ChangeFlowRun:
    """What a bulk action asks of each of its runs, under a key of its own."""
    message = VERBS[request.action].request
    values = {name: getattr(request, name) for name in message.__struct_fields__ if name in request.__struct_fields__}
    return message(**values | {"idempotency_key": key})


def total(session: Session, request: Bulk, now: datetime) -> int:
    """How many runs it is about."""
    if request.ids is not None:
        return len(set(request.ids))
    assert request.filter is not None
    return reads.count_all(session, request.filter, now)


def step(session: Session, job: JobRow, now: datetime) -> JobColumns:
    """Do it to the next batch of runs; the columns of the job that change. Every run is looked at once, in the order of ids."""
    request = msgspec.convert(job.request, Bulk)
    found = _next(session, request, job, now)
    each = of_each(request, f"job-{job.id}")
    change = change_of(request.action, Actor("user", job.created_by), each)
    refusals = list(job.progress.get("refusals", ()))
    refused = 0
    for run in found:
        reason = _refused(session, run, each, change, now)
        if reason is not None:
            refused += 1
            refusals.append({"id": str(run), "reason": reason})
    progress = {"after": str(found[-1]) if found else None, "refusals": refusals[:MOST_REFUSALS]}
    return {
        "done": job.done + len(found) - refused,
        "refused": job.refused + refused,
        "progress": progress,
        "state": "done" if len(found) < BATCH else "running",
    }


def _refused(session: Session, run: UUID, request: ChangeFlowRun, change: Change, now: datetime) -> str | None:
    """Change one run; the sentence that says why not. A refused run leaves nothing behind in the batch."""
    told = list(session.info.get("announcements", ()))
    try:
        with session.begin_nested():
            once_within(session, run, request, now, change)
    except (Conflict, Invalid, NotFound) as error:
        session.info["announcements"] = told
        return error.message
    return None


def _next(session: Session, request: Bulk, job: JobRow, now: datetime) -> list[UUID]:
    after = None if job.progress.get("after") is None else UUID(job.progress["after"])
    if request.ids is not None:
        left = sorted(run for run in set(request.ids) if after is None or run > after)
        return left[:BATCH]
    assert request.filter is not None
    return reads.next_ids(session, request.filter, now, after, job.created, BATCH)
