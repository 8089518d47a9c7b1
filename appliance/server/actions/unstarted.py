"""Runs that wait for their time: started now, edited, or deleted. Deleting also takes runs that have ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.server.actions.asking import Asked, Change, once, once_within, store
from appliance.server.actions.attempts import task_state
from appliance.server.actions.names import idempotency_key, labels_of, required_name
from appliance.server.auth.identity import Actor
from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.tables.schedules import Schedule
from appliance.server.db.writes import flow_runs, jobs, schedules, states, task_runs
from appliance.server.domain.transitions import LIVE, PAUSED, SCHEDULED, Proposed
from appliance.server.errors import Conflict, Invalid
from appliance.server.events.outbox import announce

HIGHEST_PRIORITY = 1_000
DELETE, DELETED = "delete", "deleted"
"""The kind of job that is on record for it, and the code of the skip that stands for a due time whose run was deleted."""


@dataclass(frozen=True)
class Edit:
    """What is to change; None leaves it as it is."""

    name: str | None = None
    labels: list[str] | None = None
    priority: int | None = None
    scheduled_time: datetime | None = None

    def columns(self) -> dict[str, Any]:
        """The columns of the run; raises Invalid for values that can't be used, or when there is nothing to change."""
        values: dict[str, Any] = {}
        if self.name is not None:
            values["name"] = required_name(self.name, "run")
        if self.labels is not None:
            values["labels"] = labels_of(self.labels)
        if self.priority is not None:
            if not -HIGHEST_PRIORITY <= self.priority <= HIGHEST_PRIORITY:
                raise Invalid(f"The priority must be a number from -{HIGHEST_PRIORITY} to {HIGHEST_PRIORITY}.")
            values["priority"] = self.priority
        if self.scheduled_time is not None:
            if self.scheduled_time.tzinfo is None:
                raise Invalid("The scheduled time must have an offset, like 2026-01-31T06:30:00+00:00.")
            values["scheduled_time"] = self.scheduled_time
        if not values:
            raise Invalid("Name what to change: name, labels, priority or scheduled_time.")
        return values


def start_now(
    db: Database, actor: Actor, flow_run_id: UUID, asked: Asked | None = None, *, now: datetime | None = None
) -> UUID:
    """Let a scheduled run be due now, also one whose task waits for its next try. What is due already stays as it is."""
    asked = asked or Asked()
    return once(db, flow_run_id, asked, now, starting_now(actor, asked), "start_now")


def starting_now(actor: Actor, asked: Asked) -> Change:
    """`start_now` as a change inside a transaction."""

    def apply(session: Session, run: Any, now: datetime) -> None:
        if run.state_type == PAUSED or run.state_name == "Paused":
            raise Conflict("The run is paused; resume it instead.")
        if run.state_type != SCHEDULED:
            raise Conflict(f"The run is {run.state_name}; only a run that is scheduled can be started now.")
        message = asked.message("Started now", actor)
        extra = states.due(now) if run.attempt else {"scheduled_time": now}
        name = "AwaitingRetry" if run.state_name == "AwaitingRetry" else "Scheduled"
        store(session, run, Proposed(SCHEDULED, name), message, asked, actor, now, extra)
        for one in task_runs.with_times(session, run.id):
            data = one.state_data | {"start_time": clock.isoformat(now)}
            task_runs.move(session, [one.id], task_state(SCHEDULED, one.state_name, message, now) | {"data": data})

    return apply


def edit(
    db: Database,
    actor: Actor,
    flow_run_id: UUID,
    wanted: Edit,
    asked: Asked | None = None,
    *,
    now: datetime | None = None,
) -> UUID:
    """Change name, labels, priority or time of a run that has not started."""
    asked = asked or Asked()
    return once(db, flow_run_id, asked, now, editing(actor, asked, wanted), "edit")


def editing(actor: Actor, asked: Asked, wanted: Edit) -> Change:
    """`edit` as a change inside a transaction. Raises Invalid."""
    values = wanted.columns()

    def apply(session: Session, run: Any, now: datetime) -> None:
        if run.attempt or run.state_type not in (SCHEDULED, PAUSED):
            raise Conflict(f"The run is {run.state_name} and has started; only a run that has not can be edited.")
        name = "Scheduled" if run.state_name == "Late" else run.state_name  # by its new time it may be late no more
        message = asked.message(f"Edited ({', '.join(sorted(values))})", actor)
        store(session, run, Proposed(run.state_type, name), message, asked, actor, now, values)

    return apply


@retried
def delete(
    db: Database, actor: Actor, flow_run_id: UUID, asked: Asked | None = None, *, now: datetime | None = None
) -> UUID:
    """Delete a run that has ended or that waits for its time, with its task runs, states and logs."""
    asked, now = asked or Asked(), now or clock.now()
    key = idempotency_key(asked.idempotency_key)
    with db.write("delete") as session:
        if key is not None and jobs.of_key(session, key) is not None:
            return flow_run_id
        once_within(session, flow_run_id, asked, now, deleting(actor, asked))
        if key is not None:  # what the run's history would have kept
            request = {"ids": [str(flow_run_id)], "reason": asked.reason}
            jobs.add(
                session, jobs.row(DELETE, request, actor.name, now, key) | {"state": "done", "total": 1, "done": 1}
            )
        return flow_run_id


def deleting(actor: Actor, asked: Asked) -> Change:
    """`delete` as a change inside a transaction. Of a due time that never ran, a skip stays, so that no run is made for it again."""

    def apply(session: Session, run: Any, now: datetime) -> None:
        if run.state_type in LIVE:
            raise Conflict(f"The run is {run.state_name}; cancel it, then delete it when it has ended.")
        if asked.version is not None and asked.version != run.version:
            raise Conflict("The run has changed since you looked at it; look again, then decide.")
        row = session.get_one(FlowRun, run.id)
        message = asked.message("Deleted", actor)
        if row.schedule_id is not None and row.due_at is not None and (row.due_at > now or run.start_time is None):
            _skip(session, row, message, now)
        session.expunge(row)
        flow_runs.delete_one(session, run.id)
        data = {"name": run.name, "state": run.state_name, "reason": message, "flow_id": str(run.flow_id)}
        announce(session, "flow_run", run.id, "flow_run.deleted", data, actor, now)

    return apply


def _skip(session: Session, row: FlowRun, reason: str, now: datetime) -> None:
    assert row.schedule_id is not None
    schedule = session.get_one(Schedule, row.schedule_id)
    skip = {"schedule_id": schedule.id, "version": schedule.version, "first": row.due_at, "last": row.due_at}
    schedules.add_skips(session, [skip | {"count": 1, "code": DELETED, "reason": reason, "at": now}])
