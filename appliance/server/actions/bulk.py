"""Bulk actions: one verb on many runs, in batches. Each batch is one transaction, which also records the progress of the job."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import structs
from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.protocol.flow_runs import ChangeFlowRun
from appliance.protocol.jobs import Bulk
from appliance.protocol.run_filter import RunFilter
from appliance.protocol.verbs import VERBS
from appliance.server.actions.flow_runs.change import Change, within
from appliance.server.actions.flow_runs.perform import change_of
from appliance.server.auth.guards import Permission, require
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import flow_runs as reads
from appliance.server.db.reads import run_filter_names
from appliance.server.db.rows.jobs import JobColumns, JobRow
from appliance.server.domain import run_query
from appliance.server.errors import Conflict, DamagedRow, Invalid, NotFound

BATCH = 50
MOST_REFUSALS = 100
"""How many refusals are kept with their reasons; of further ones only the number is."""


def check(actor: Actor, request: Bulk) -> None:
    """Raise Invalid or Forbidden for a request that no run could take."""
    require(actor, Permission(VERBS[request.action].permission))
    if (request.ids is None) == (request.filter is None):
        raise Invalid("Name the runs by their ids or by a filter.")
    if request.filter is not None and not _conditions(request.filter):
        raise Invalid("The filter has no conditions, so it would match every run; name at least one.")
    for time in (request.filter.since, request.filter.until) if request.filter is not None else ():
        if time is not None and time.tzinfo is None:
            raise Invalid("A time of the filter must have an offset, like 2026-01-31T06:30:00+00:00.")
    if request.action == "mark" and request.state is None:
        raise Invalid("Name the state to mark the runs as.")
    change_of(request.action, actor, of_each(request))


def check_names(session: Session, request: Bulk) -> None:
    """Raise UnknownName if the filter names a state, flow or project that doesn't exist."""
    if request.filter is not None:
        run_filter_names.check(session, run_query.expanded(request.filter, clock.now()))


def _conditions(filter: RunFilter) -> bool:
    """Whether the filter has any."""
    conditions = structs.asdict(run_query.expanded(filter, clock.now()))
    return any(value not in (None, [], {}) for name, value in conditions.items() if name not in ("q", "include_future"))


def of_each(request: Bulk) -> ChangeFlowRun:
    """The request for each of the runs."""
    message = VERBS[request.action].request
    values = {name: getattr(request, name) for name in message.__struct_fields__ if name in request.__struct_fields__}
    return message(**values | {"idempotency_key": None})


def total(session: Session, request: Bulk, now: datetime) -> int:
    """How many runs the action is for. Raises UnknownName if there are none, because nothing has such a label or parameter."""
    if request.ids is not None:
        return len(set(request.ids))
    assert request.filter is not None
    count = reads.count_all(session, request.filter, now)
    if count == 0:
        run_filter_names.check_what_no_run_has(session, run_query.expanded(request.filter, now))
    return count


def step(session: Session, job: JobRow, now: datetime) -> JobColumns:
    """Change the next batch of runs, in the order of ids, each once. Returns the columns of the job that change."""
    request = msgspec.convert(job.request, Bulk)
    batch = _next(session, request, job, now)
    change = change_of(request.action, Actor("user", job.created_by), of_each(request))
    refusals = list(job.progress.get("refusals", ()))
    refused = 0
    for run in batch:
        reason = _refused(session, run, change, now)
        if reason is not None:
            refused += 1
            refusals.append({"id": str(run), "reason": reason})
    progress = {"after": str(batch[-1]) if batch else None, "refusals": refusals[:MOST_REFUSALS]}
    return {
        "done": job.done + len(batch) - refused,
        "refused": job.refused + refused,
        "progress": progress,
        "state": "done" if len(batch) < BATCH else "running",
    }


def _refused(session: Session, run: UUID, change: Change, now: datetime) -> str | None:
    """Change one run. Returns the reason if it was refused; then nothing of the change is left in the batch."""
    announcements = list(session.info.get("announcements", ()))
    try:
        with session.begin_nested():
            within(session, run, now, change)
    except (Conflict, DamagedRow, Invalid, NotFound) as error:
        session.info["announcements"] = announcements
        return error.message
    return None


def _next(session: Session, request: Bulk, job: JobRow, now: datetime) -> list[UUID]:
    after = None if job.progress.get("after") is None else UUID(job.progress["after"])
    if request.ids is not None:
        left = sorted(run for run in set(request.ids) if after is None or run > after)
        return left[:BATCH]
    assert request.filter is not None
    return reads.next_ids(session, request.filter, now, after, job.created, BATCH)
