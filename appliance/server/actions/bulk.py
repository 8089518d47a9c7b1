"""One thing done to many runs, in batches: each batch is a transaction that also notes how far the job has come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from appliance.protocol.jobs import Bulk
from appliance.protocol.run_filter import RunFilter
from appliance.server.actions.flow_runs import cancel, delete, edit, mark, pause, restart, resume, start_now
from appliance.server.actions.flow_runs.change import Change, ChangeRequest, once_within
from appliance.server.actions.flow_runs.edit import Edit
from appliance.server.actions.flow_runs.restart import Restart
from appliance.server.auth.guards import Permission, require
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import flow_runs as reads
from appliance.server.db.rows.jobs import JobColumns, JobRow
from appliance.server.errors import Conflict, Invalid, NotFound

BATCH = 50
MOST_REFUSALS = 100
"""So many refusals are kept with their reasons; of the others the number."""


@dataclass(frozen=True)
class Action:
    """What may be done to many runs: the permission for it, and how a request becomes a change."""

    permission: Permission
    change: Callable[[Actor, ChangeRequest, Bulk], Change]


ACTIONS: Mapping[str, Action] = {
    "cancel": Action(Permission.CANCEL_RUN, lambda actor, asked, _: cancel.change(actor, asked)),
    "pause": Action(Permission.PAUSE_RUN, lambda actor, asked, _: pause.change(actor, asked)),
    "resume": Action(Permission.RESUME_RUN, lambda actor, asked, _: resume.change(actor, asked)),
    "restart": Action(
        Permission.RESTART_RUN,
        lambda actor, asked, wanted: restart.change(
            actor, asked, Restart(wanted.newest_version, wanted.from_task, wanted.parameters)
        ),
    ),
    "start_now": Action(Permission.EDIT_RUN, lambda actor, asked, _: start_now.change(actor, asked)),
    "mark": Action(Permission.MARK_RUN, lambda actor, asked, wanted: mark.change(actor, asked, wanted.state or "")),
    "edit": Action(
        Permission.EDIT_RUN,
        lambda actor, asked, wanted: edit.change(
            actor, asked, Edit(None, wanted.labels, wanted.priority, wanted.scheduled_time)
        ),
    ),
    "delete": Action(Permission.DELETE_RUN, lambda actor, asked, _: delete.change(actor, asked)),
}


def check(actor: Actor, request: Bulk) -> None:
    """Raise Invalid or Forbidden for a request that could not be carried out on any run."""
    require(actor, ACTIONS[request.action].permission)
    if (request.ids is None) == (request.filter is None):
        raise Invalid("Name the runs by their ids or by a filter.")
    if request.filter is not None and request.filter == RunFilter(include_future=request.filter.include_future):
        raise Invalid("The filter has no condition, so it would find every run; name at least one.")
    for time in (request.filter.since, request.filter.until) if request.filter is not None else ():
        if time is not None and time.tzinfo is None:
            raise Invalid("A time of the filter must have an offset, like 2026-01-31T06:30:00+00:00.")
    if request.action == "mark" and request.state is None:
        raise Invalid("Name the state to mark the runs as.")
    ACTIONS[request.action].change(actor, ChangeRequest(request.reason), request)


def filter_of(wanted: RunFilter) -> reads.FlowRunFilter:
    """The same for the database."""
    types = tuple(state for state in wanted.states if state.isupper())
    return reads.FlowRunFilter(
        state_types=types,
        state_names=tuple(state for state in wanted.states if state not in types),
        flow_id=wanted.flow_id,
        flow=wanted.flow,
        project=wanted.project,
        text=wanted.text,
        since=wanted.since,
        until=wanted.until,
        include_future=wanted.include_future,
    )


def total(session: Session, request: Bulk, now: datetime) -> int:
    """How many runs it is about."""
    if request.ids is not None:
        return len(set(request.ids))
    assert request.filter is not None
    return reads.count_all(session, filter_of(request.filter), now)


def step(session: Session, job: JobRow, now: datetime) -> JobColumns:
    """Do it to the next batch of runs; the columns of the job that change. Every run is looked at once, in the order of ids."""
    request = msgspec.convert(job.request, Bulk)
    found = _next(session, request, job, now)
    asked = ChangeRequest(request.reason, f"job-{job.id}")
    change = ACTIONS[request.action].change(Actor("user", job.created_by), asked, request)
    refusals = list(job.progress.get("refusals", ()))
    refused = 0
    for run in found:
        reason = _refused(session, run, asked, change, now)
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


def _refused(session: Session, run: UUID, asked: ChangeRequest, change: Change, now: datetime) -> str | None:
    """Change one run; the sentence that says why not. A refused run leaves nothing behind in the batch."""
    told = list(session.info.get("announcements", ()))
    try:
        with session.begin_nested():
            once_within(session, run, asked, now, change)
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
    return reads.next_ids(session, filter_of(request.filter), now, after, job.created, BATCH)
