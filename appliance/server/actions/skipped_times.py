"""Skipping one due time of a schedule, whose planned run goes, and taking that back, which plans it again. The schedule stays as it is."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.kit.clock import isoformat
from appliance.protocol.schedules import DueTime, SkipDueTime
from appliance.schedules import Rule, parse, preview
from appliance.schedules.zones import zone_of
from appliance.server.actions.flow_runs.change import history_message
from appliance.server.actions.keyed import keyed
from appliance.server.actions.planning import catch_up_missed, plan_runs
from appliance.server.actions.schedule_rows import computed, locked
from appliance.server.actions.states import facts_of
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import schedules as reads
from appliance.server.db.rows.schedules import LeftOut, NewSkip
from appliance.server.db.session import Database
from appliance.server.db.tables.schedules import Schedule
from appliance.server.db.writes import flow_runs, schedules, states
from appliance.server.domain.scheduling import SKIPPED, is_due, just_before
from appliance.server.domain.verbs import too_late_to_skip
from appliance.server.errors import Conflict, Invalid
from appliance.server.events.outbox import announce

MOST_SKIPPED = 1_000
"""Of one schedule, of those to come."""


@keyed("schedule.skip")
def skip(
    db: Database, actor: Actor, schedule_id: UUID, request: SkipDueTime, *, now: datetime | None = None
) -> DueTime:
    """Leave out one due time that is still to come. A time that is left out already stays as it is. Raises Conflict when its run has
    started."""
    now, at = now or clock.now(), _instant(request)
    with db.write("schedule.skip") as session:
        schedule = locked(session, schedule_id)
        rule = _rule(schedule, at)
        times = reads.left_out(session, [schedule.id], min(at, now)).get(schedule.id, {})
        if at in times:
            return _due_time(rule, at, times[at].reason)
        _delete_run(session, schedule, at, actor, now)
        if at <= now:
            raise Conflict("That time has passed, so it can't be skipped any more.")
        if len(times) >= MOST_SKIPPED:
            raise Conflict(f"{MOST_SKIPPED:,} times of this schedule are skipped already; pause the schedule instead.")
        reason = history_message("Skipped", actor, request.reason)
        row: NewSkip = {
            "schedule_id": schedule.id, "version": schedule.version, "first": at, "last": at, "count": 1,
            "code": SKIPPED, "reason": reason, "at": now,
        }  # fmt: skip
        schedules.add_skips(session, [row])
        plan_runs(session, [schedule], actor, now, db.rules.scheduled_runs_ahead)
        _announce(session, schedule, "schedule.time_skipped", at, reason, actor, now)
        return _due_time(rule, at, reason)


@keyed("schedule.unskip")
def unskip(
    db: Database, actor: Actor, schedule_id: UUID, request: SkipDueTime, *, now: datetime | None = None
) -> DueTime:
    """Take back that a due time is left out; its run is planned again. A time that has its run stays as it is."""
    now, at = now or clock.now(), _instant(request)
    with db.write("schedule.unskip") as session:
        schedule = locked(session, schedule_id)
        rule = _rule(schedule, at)
        row: LeftOut | None = reads.left_out(session, [schedule.id], min(at, now)).get(schedule.id, {}).get(at)
        if row is None:
            return _due_time(rule, at)
        if at <= now:
            raise Conflict("That time has passed; a backfill can still create its run.")
        catch_up_missed(session, schedule, actor, now, db.rules.scheduled_runs_ahead)
        schedules.remove_skips(session, [row.id])
        schedule.scheduled_until = schedule.plan_at = now  # times that have a run keep it
        session.flush()
        plan_runs(session, [schedule], actor, now, db.rules.scheduled_runs_ahead)
        reason = history_message("Restored", actor, request.reason)
        _announce(session, schedule, "schedule.time_unskipped", at, reason, actor, now)
        return _due_time(rule, at)


def _instant(request: SkipDueTime) -> datetime:
    if request.at.tzinfo is None:
        raise Invalid("The time must have an offset, like 2026-01-31T06:30:00+00:00.", field="at")
    with computed():
        return request.at.astimezone(UTC)


def _rule(schedule: Schedule, at: datetime) -> Rule:
    """The schedule's rule. Raises Invalid unless it is due then."""
    with computed():
        rule = parse(schedule.document)
        if not is_due(rule, at):
            wall = f"{at.astimezone(zone_of(schedule.timezone)):%Y-%m-%d %H:%M:%S} {schedule.timezone}"
            raise Invalid(f"The schedule isn't due at {wall}; `appliance schedule next` lists when it is.", field="at")
    return rule


def _delete_run(session: Session, schedule: Schedule, at: datetime, actor: Actor, now: datetime) -> None:
    """Delete the run of the due time, if there is one. Raises Conflict unless it still waits for its time."""
    run_id = reads.run_at(session, schedule.id, at)
    run = None if run_id is None else states.lock(session, run_id)
    if run is None:
        return
    problem = too_late_to_skip(facts_of(run), run.scheduled_time, now)
    if problem:
        raise Conflict(f"The run of this time, {run.name!r}, {problem}", flow_run_id=str(run.id))
    flow_runs.delete_one(session, run.id, now)
    data = {"name": run.name, "state": run.state_name, "reason": "", "flow_id": str(run.flow_id)}
    announce(session, "flow_run", run.id, "flow_run.deleted", data, actor, now)


def _due_time(rule: Rule, at: datetime, skipped: str | None = None) -> DueTime:
    with computed(None):
        [time] = preview(rule, 1, just_before(at)).times
    return DueTime(at=at, local=time.local, notes=time.notes, skipped=skipped)


def _announce(
    session: Session, schedule: Schedule, kind: str, at: datetime, reason: str, actor: Actor, now: datetime
) -> None:
    data = {"flow_id": str(schedule.flow_id), "due_at": isoformat(at), "reason": reason}
    announce(session, "schedule", schedule.id, kind, data, actor, now)
