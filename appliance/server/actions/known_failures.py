"""Known failures: people mark them, and the next success of their flow resolves them."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock, ids
from appliance.protocol.known_failures import MarkFailure
from appliance.protocol.state_change import StateChange
from appliance.server.actions.keyed import keyed
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import flow_runs, task_runs
from appliance.server.db.reads import known_failures as reads
from appliance.server.db.rows.flow_runs import FlowRunRow, LockedRun
from appliance.server.db.rows.known_failures import MarkedColumns
from appliance.server.db.session import Database
from appliance.server.db.writes import flows
from appliance.server.db.writes import known_failures as writes
from appliance.server.domain.failures import (
    MOST_KNOWN,
    Failure,
    failure_of,
    has_failed,
    is_known_at,
    is_own_cause,
    resolves,
)
from appliance.server.domain.sanitize import clean
from appliance.server.errors import Conflict, Invalid, NotFound
from appliance.server.events.outbox import announce, announce_all

LONGEST_REASON = 500
_LONGEST_MESSAGE = 1_000


@keyed("known_failure.mark")
def mark(db: Database, actor: Actor, request: MarkFailure, *, now: datetime | None = None) -> UUID:
    """Mark why a run failed as known. One that is known already is known until the new time, for the new reason."""
    now = now or clock.now()
    until, reason = _until(request.until, now), clean(request.reason.strip(), LONGEST_REASON)
    if len(request.reason) > LONGEST_REASON:
        raise Invalid(f"The reason is too long; use at most {LONGEST_REASON} characters.")
    with db.write("known_failure.mark") as session:
        run = _failed(session, request.flow_run_id)
        failure = _failure(session, run.id, run.state_name, run.state_message)
        columns: MarkedColumns = {
            "message": clean(failure.message, _LONGEST_MESSAGE), "reason": reason, "until": until,
            "marked_by": clean(actor.name, 200), "marked_at": now,
        }  # fmt: skip
        known = writes.lock(session, run.flow_id, failure)
        if known is None:
            if reads.number_of(session, run.flow_id) >= MOST_KNOWN:
                raise Conflict(f"The flow has {MOST_KNOWN} known failures already; remove some of them first.")
            known = ids.uuid7()
            writes.add(
                session,
                {
                    "id": known, "flow_id": run.flow_id, "task_slug": failure.task_slug,
                    "fingerprint": failure.fingerprint, "last_run_id": run.id,
                    "last_seen": run.end_time or run.state_at, **columns,
                },
            )  # fmt: skip
        else:
            writes.mark_again(session, known, columns)
        data = {
            "flow_id": str(run.flow_id), "task": failure.task_slug, "reason": reason,
            "until": None if until is None else clock.isoformat(until),
        }  # fmt: skip
        announce(session, "known_failure", known, "known_failure.marked", data, actor, now)
        return known


@keyed("known_failure.unmark")
def unmark(db: Database, actor: Actor, known_failure_id: UUID, *, now: datetime | None = None) -> None:
    """Forget a known failure, so that it counts again."""
    now = now or clock.now()
    with db.write("known_failure.unmark") as session:
        gone = writes.remove(session, known_failure_id)
        if gone is None:
            raise NotFound("There is no such known failure; it may have been resolved or removed.")
        data = {"flow_id": str(gone.flow_id), "task": gone.task_slug}
        announce(session, "known_failure", known_failure_id, "known_failure.removed", data, actor, now)


def follow(session: Session, run: LockedRun, change: StateChange, actor: Actor, now: datetime) -> None:
    """A run has reached this state: its success resolves what is known of its flow, and a failure that is known is noted."""
    if not run.has_known_failures:
        return
    if resolves(change.type):
        resolved = writes.resolve(session, run.flow_id, run.id, change.at)
        data = {"flow_id": str(run.flow_id), "run": str(run.id)}
        announce_all(
            session, "known_failure", "known_failure.resolved", [(known, data) for known in resolved], actor, now
        )
    elif has_failed(change.type):
        failure = _failure(session, run.id, change.name, change.message)
        writes.see(session, run.flow_id, failure, run.id, change.at)


def _until(until: datetime | None, now: datetime) -> datetime | None:
    if until is None:
        return None
    if until.tzinfo is None:
        raise Invalid("The time until which the failure is known needs a UTC offset, as in 2026-01-31T08:00:00Z.")
    if not is_known_at(until, now):
        raise Invalid("The time until which the failure is known has passed; choose a later one.")
    return until.astimezone(UTC)


def _failed(session: Session, run_id: UUID) -> FlowRunRow:
    """The run, and its flow, which stays locked so that marking is done one by one. Raises NotFound or Conflict."""
    run = flow_runs.get(session, run_id)
    if run is None or flows.lock(session, run.flow_id) is None:
        raise NotFound("There is no such run; it may have been deleted.")
    if not has_failed(run.state_type):
        raise Conflict(f"Run {run.name} has not failed, so there is nothing to mark as known.")
    success = flow_runs.last_successes(session, [run.flow_id]).get(run.flow_id)
    if success is not None and success > (run.end_time or run.state_at):
        raise Conflict(f"The flow has succeeded since run {run.name} failed, so the failure is resolved already.")
    return run


def _failure(session: Session, run_id: UUID, state_name: str, message: str) -> Failure:
    task = None if is_own_cause(state_name) else task_runs.first_failures(session, [run_id]).get(run_id)
    return failure_of(message, task)
