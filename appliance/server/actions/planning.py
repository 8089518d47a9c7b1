"""Giving a schedule its next runs, inside the transaction of an action: the scheduler and every change of a schedule use this."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from appliance.core.errors import ScheduleError
from appliance.kit import ids
from appliance.server.actions.creation import checked_parameters, insert_runs, run_row
from appliance.server.auth.identity import Actor
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.tables.schedules import Schedule
from appliance.server.db.writes import flow_runs, flows, schedules
from appliance.server.domain.scheduling import Plan, plan
from appliance.server.errors import Invalid
from appliance.server.events.outbox import announce

MALFORMED = (ScheduleError, Invalid, TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What a document raises that no schedule could have been made of by our own doors, but that lies in the table all the same."""


@dataclass(frozen=True)
class Planned:
    created: int = 0
    missed: int = 0
    malformed: bool = False


def plan_runs(session: Session, schedule: Schedule, actor: Actor, now: datetime, ahead: int) -> Planned:
    """Create the runs that the schedule lacks. One that can't be computed is switched off, with an event that says why."""
    flow = session.get_one(Flow, schedule.flow_id)
    version = flows.newest_version(session, flow.id)
    if version is None or flow.archived or not schedule.active:
        return Planned()
    try:
        wanted = plan_of(schedule, now, ahead)
        rows = _rows(flow, version, schedule, wanted, actor, now)
    except MALFORMED as error:
        reason = str(error) if isinstance(error, (ScheduleError, Invalid)) else "Its document can't be read."
        _step_aside(session, schedule, reason, actor, now)
        return Planned(malformed=True)
    created = insert_runs(session, rows, actor, now)
    if wanted.missed:
        announce(session, "schedule", schedule.id, "schedule.missed", {"count": wanted.missed}, actor, now)
    schedule.scheduled_until = wanted.until
    schedules.set_planned(session, schedule.id, wanted.until)
    return Planned(len(created), wanted.missed)


def plan_again(session: Session, schedule: Schedule, actor: Actor, now: datetime, ahead: int) -> Planned:
    """Remove the runs that are only planned and plan from now on, by what the schedule and the flow say now."""
    unplan(session, schedule, now)
    return plan_runs(session, schedule, actor, now, ahead)


def unplan(session: Session, schedule: Schedule, now: datetime) -> int:
    """Remove the runs that are only planned. Runs already due stay."""
    schedule.scheduled_until = now
    schedules.set_planned(session, schedule.id, now)
    return flow_runs.delete_planned(session, schedule.id, now)


def plan_of(schedule: Any, now: datetime, ahead: int) -> Plan:
    """What the schedule (or a row with the same columns) lacks. Raises ScheduleError."""
    return plan(
        schedule.document, schedule.scheduled_until or now, now, ahead, schedule.catch_up, schedule.catch_up_cap
    )


def _rows(
    flow: Flow, version: FlowVersion, schedule: Schedule, wanted: Plan, actor: Actor, now: datetime
) -> list[dict[str, Any]]:
    if not wanted.due:
        return []
    parameters = checked_parameters(flow, version, schedule.parameters)
    return [
        run_row(
            flow,
            version,
            name=ids.readable_name(),
            parameters=parameters,
            labels=schedule.labels or None,
            scheduled_time=time,
            actor=actor,
            now=now,
            schedule_id=schedule.id,
        )
        for time in wanted.due
    ]


def _step_aside(session: Session, schedule: Schedule, reason: str, actor: Actor, now: datetime) -> None:
    schedule.active = False
    schedule.version += 1
    schedule.updated = now
    session.flush()
    announce(session, "schedule", schedule.id, "schedule.malformed", {"reason": reason}, actor, now)
