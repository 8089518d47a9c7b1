"""Planning a schedule's next runs inside the transaction of an action: used by the scheduler and by every change of a schedule."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import crash, ids
from appliance.kit.clock import isoformat
from appliance.schedules import ScheduleError, parse
from appliance.server.actions.flow_runs.new_runs import insert_runs, merge_parameters, run_row
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import mapped_flows, outages
from appliance.server.db.reads import schedules as read_schedules
from appliance.server.db.reads.outages import Outage
from appliance.server.db.rows.flow_runs import NewFlowRun
from appliance.server.db.rows.schedules import NewSkip, PlanUpdate
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.tables.schedules import Schedule
from appliance.server.db.writes import flow_runs, schedules
from appliance.server.domain.run_configs import SCHEDULE
from appliance.server.domain.scheduling import CatchUp, Passed, Plan, Skip, cut, without
from appliance.server.domain.scheduling import plan as plan_times
from appliance.server.errors import Invalid
from appliance.server.events.outbox import announce

log = logging.getLogger(__name__)

MALFORMED = (ScheduleError, Invalid, TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What a stored document raises that could not have been stored through our own API."""


@dataclass(frozen=True)
class PlanCounts:
    """How many schedules were planned, runs created for them, due times skipped, and malformed schedules switched off."""

    schedules: int = 0
    created: int = 0
    missed: int = 0
    malformed: int = 0


def plan_runs(
    session: Session,
    due_schedules: Sequence[Schedule],
    actor: Actor,
    now: datetime,
    ahead: int,
    catch_up: CatchUp | None = None,
) -> PlanCounts:
    """Create the missing runs of these schedules. A schedule that can't be computed is switched off, with an event that says why.
    `catch_up` takes the place of the schedules' own policies."""
    flows = mapped_flows.by_ids(session, {schedule.flow_id for schedule in due_schedules})
    versions = mapped_flows.newest_versions(session, set(flows))
    rows: list[NewFlowRun] = []
    skips: list[NewSkip] = []
    since = min([now, *(schedule.scheduled_until or now for schedule in due_schedules)])
    left_out = read_schedules.left_out(session, [schedule.id for schedule in due_schedules], since)
    planned: list[PlanUpdate] = []
    outage = outages.unserved(session, now)
    malformed = 0
    for schedule in due_schedules:
        flow, version = flows.get(schedule.flow_id), versions.get(schedule.flow_id)
        if flow is None or version is None or flow.archived or flow.paused or not schedule.active:
            continue
        try:
            passed, waiting = _passed(session, schedule, outage, now)
            plan = _plan_of(schedule, left_out.get(schedule.id, {}), now, ahead, passed, catch_up)
            rows += _rows(flow, version, schedule, plan.due, actor, now)
        except MALFORMED as error:
            reason = str(error) if isinstance(error, (ScheduleError, Invalid)) else "Its document can't be read."
            log.warning("Schedule %s can't be computed and was turned off: %s", schedule.id, reason)
            switch_off(session, schedule, reason, actor, now)
            malformed += 1
            continue
        flow_runs.delete_all(session, [waiting[time] for time in plan.given_up], now)
        if plan.skip is not None:
            skips.append(_skip_row(schedule, plan.skip, now))
        schedule.scheduled_until, schedule.plan_at = plan.until, plan.again
        planned.append({"schedule": schedule.id, "until": plan.until, "again": plan.again})
    crash.point("sched.run.built")
    created = insert_runs(session, rows, actor, now)
    crash.point("sched.run.inserted")
    schedules.add_skips(session, skips)
    if planned:
        schedules.set_planned(session, planned)
        crash.point("sched.horizon.saved")
    for skip in skips:
        data = {"count": skip["count"], "first": isoformat(skip["first"]), "last": isoformat(skip["last"])}
        announce(session, "schedule", skip["schedule_id"], "schedule.missed", data, actor, now)
    return PlanCounts(len(planned), len(created), sum(skip["count"] for skip in skips), malformed)


def catch_up_missed(session: Session, schedule: Schedule, actor: Actor, now: datetime, ahead: int) -> None:
    """Before a schedule is changed or planned again: due times that passed in an outage get their runs or their skips by the schedule
    as it was until now."""
    if not schedule.active or schedule.scheduled_until is None:
        return
    unplanned = min(schedule.scheduled_until, schedule.plan_at or now) < now
    if unplanned or outages.find(session, now) is not None:
        plan_runs(session, [schedule], actor, now, ahead)


def plan_again(session: Session, schedule: Schedule, actor: Actor, now: datetime, ahead: int) -> PlanCounts:
    """Remove the runs that are only planned, and plan again by the schedule and the flow as they are now."""
    unplan(session, schedule, now)
    return plan_runs(session, [schedule], actor, now, ahead)


def forget_future_skips(session: Session, schedule: Schedule, now: datetime) -> None:
    """Skips recorded by a wrong clock that was set back since: their due times are still to come, and get runs."""
    if skips := read_schedules.skips_after(session, schedule, now):
        by_people = read_schedules.left_out(session, [schedule.id], min(row.first for row in skips))
        rule = without(parse(schedule.document), by_people.get(schedule.id, {}))
        for row in skips:
            schedules.shorten_skip(session, row.id, cut(rule, row.first, now))


def unplan(session: Session, schedule: Schedule, now: datetime) -> int:
    """Remove the runs that are only planned. Runs already due stay."""
    schedule.scheduled_until = schedule.plan_at = now
    schedules.set_planned(session, [{"schedule": schedule.id, "until": now, "again": now}])
    return flow_runs.delete_planned(session, schedule.id, now)


def _passed(
    session: Session, schedule: Schedule, outage: Outage | None, now: datetime
) -> tuple[Passed | None, dict[datetime, UUID]]:
    """What the schedule's policy has to decide about, with the ids of planned runs by due time."""
    planned_until, waiting = schedule.scheduled_until or now, dict[datetime, UUID]()
    if outage is not None:
        after = outage.after_or(schedule.plan_at)
        waiting = flow_runs.lock_planned(session, schedule.id, after, outage.until)
    if planned_until >= now and not waiting:
        return None, {}
    first = min([planned_until, *waiting])
    settled = read_schedules.due_times_with_runs(session, schedule.id, first, now) - waiting.keys()
    return Passed(outage.until if outage else now, frozenset(waiting), settled), waiting


def _plan_of(
    schedule: Schedule,
    left_out: Collection[datetime],
    now: datetime,
    ahead: int,
    passed: Passed | None,
    catch_up: CatchUp | None,
) -> Plan:
    catch_up = catch_up or CatchUp(schedule.catch_up, schedule.catch_up_cap, schedule.catch_up_window)
    return plan_times(
        without(parse(schedule.document), left_out), schedule.scheduled_until or now, now, ahead, catch_up, passed
    )


def _skip_row(schedule: Schedule, skip: Skip, now: datetime) -> NewSkip:
    reason = skip.reason if skip.counted else f"{skip.reason} There were too many to count them all."
    return {
        "schedule_id": schedule.id,
        "version": schedule.version,
        "first": skip.first,
        "last": skip.last,
        "count": skip.count,
        "code": "catch_up",
        "reason": reason,
        "at": now,
    }


def _rows(
    flow: Flow, version: FlowVersion, schedule: Schedule, due: Sequence[datetime], actor: Actor, now: datetime
) -> list[NewFlowRun]:
    if not due:
        return []
    parameters = merge_parameters(flow, version, schedule.parameters)
    return [
        run_row(
            flow,
            version,
            name=ids.readable_name(),
            parameters=parameters,
            labels=schedule.labels or None,
            layer=SCHEDULE,
            run_config=schedule.run_config,
            given=schedule.parameters,
            scheduled_time=time,
            actor=actor,
            now=now,
            schedule_id=schedule.id,
        )
        for time in due
    ]


def switch_off(session: Session, schedule: Schedule, reason: str, actor: Actor, now: datetime) -> None:
    """Switch off a schedule that can't go on, with an event that says why."""
    schedule.active = False
    schedule.version += 1
    schedule.updated = now
    session.flush()
    announce(session, "schedule", schedule.id, "schedule.malformed", {"reason": reason}, actor, now)
