"""Schedules: created, edited, switched and deleted by people. Their planned runs follow every change."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from appliance.kit import clock
from appliance.kit.documents import JsonDocument, Parameters
from appliance.protocol.schedules import EditSchedule, ScheduleDeletion
from appliance.schedules import parse
from appliance.server.actions import run_configs
from appliance.server.actions.keyed import keyed
from appliance.server.actions.names import labels_of
from appliance.server.actions.planning import (
    MALFORMED,
    PlanCounts,
    catch_up_missed,
    forget_future_skips,
    plan_again,
    plan_runs,
    unplan,
)
from appliance.server.actions.schedule_rows import (
    MOST_PER_FLOW,
    Policy,
    announce_change,
    declaration_of,
    fill,
    flow_of,
    keep_left_out,
    locked,
    look_ahead,
    new_row,
    policy_of,
    remove,
    require_startable,
    set_policy,
    storable,
    touch,
)
from appliance.server.auth.identity import SYSTEM, Actor
from appliance.server.db.reads import schedules as read_schedules
from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.tables.schedules import Schedule
from appliance.server.db.writes import schedules
from appliance.server.domain import declarations
from appliance.server.domain import run_configs as config_rules
from appliance.server.domain.scheduling import has_moved, too_far_ahead
from appliance.server.errors import Conflict, Invalid, NotFound


@keyed("schedule.create")
def create(
    db: Database,
    actor: Actor,
    flow_id: UUID,
    document: JsonDocument,
    parameters: Parameters | None = None,
    *,
    policy: Policy | None = None,
    now: datetime | None = None,
) -> Schedule:
    """Add an active schedule to a flow; its next runs exist when this returns."""
    now = now or clock.now()
    look_ahead([document], now, db.rules.scheduled_runs_ahead)
    with db.write("schedule.create") as session:
        flow, version = flow_of(session, flow_id)
        if len(schedules.lock_of_flow(session, flow_id)) >= MOST_PER_FLOW:
            raise Conflict(f"The flow has {MOST_PER_FLOW} schedules already; delete one first.")
        if parameters is not None:
            document = document | {"parameters": parameters}
        schedule = new_row(session, flow, document, "ui", True, now)
        set_policy(schedule, policy or Policy())
        require_startable(session, flow, version, schedule)
        plan_runs(session, [schedule], actor, now, db.rules.scheduled_runs_ahead)
        announce_change(session, schedule, "schedule.created", actor, now)
        return schedule


@keyed("schedule.set_active")
def set_active(db: Database, actor: Actor, schedule_id: UUID, active: bool, *, now: datetime | None = None) -> Schedule:
    """Switch a schedule off, which removes the runs that are only planned, or on, which plans the next ones at once."""
    now = now or clock.now()
    with db.write("schedule.switch") as session:
        schedule = locked(session, schedule_id)
        if schedule.active == active:
            return schedule
        catch_up_missed(session, schedule, actor, now, db.rules.scheduled_runs_ahead)
        schedule.active = active
        touch(session, schedule, now)
        if active:
            flow, version = flow_of(session, schedule.flow_id)
            require_startable(session, flow, version, schedule)
            plan_again(session, schedule, actor, now, db.rules.scheduled_runs_ahead)
        else:
            unplan(session, schedule, now)
        announce_change(session, schedule, "schedule.activated" if active else "schedule.paused", actor, now)
        return schedule


@keyed("schedule.edit")
def edit(
    db: Database,
    actor: Actor,
    schedule_id: UUID,
    document: JsonDocument | None = None,
    parameters: Parameters | None = None,
    *,
    labels: list[str] | None = None,
    run_config: JsonDocument | None = None,
    active: bool | None = None,
    catch_up: str | None = None,
    policy: Policy | None = None,
    reset: Sequence[str] = (),
    version: int | None = None,
    now: datetime | None = None,
) -> Schedule:
    """Change a schedule's times, parameters, labels, run config or policies, or switch it on or off; its planned runs are replaced.

    `reset` names fields that get the values which code declares. A `version` is the one that the caller has seen.
    """
    now = now or clock.now()
    if document is not None:
        look_ahead([document], now, db.rules.scheduled_runs_ahead)
    with db.write("schedule.edit") as session:
        schedule = locked(session, schedule_id)
        if version is not None and version != schedule.version:
            raise Conflict(
                "The schedule was changed in the meantime; look at it again and repeat your edit.",
                version=schedule.version,
            )
        catch_up_missed(session, schedule, actor, now, db.rules.scheduled_runs_ahead)
        if reset:
            _reset(schedule, reset)
        if document is not None:
            kept = {"parameters": schedule.parameters, "labels": schedule.labels, "run_config": schedule.run_config}
            fill(schedule, kept | document)
        schedule.parameters = schedule.parameters if parameters is None else storable(parameters)
        schedule.labels = schedule.labels if labels is None else labels_of(labels)
        if run_config is not None:
            new = {**run_config, "env": config_rules.kept(run_config, schedule.run_config)}
            schedule.run_config = run_configs.override_of(new) or None
        set_policy(schedule, policy or Policy(catch_up=catch_up))
        schedule.active = schedule.active if active is None else active
        touch(session, schedule, now)
        if schedule.active:
            flow, flow_version = flow_of(session, schedule.flow_id)
            require_startable(session, flow, flow_version, schedule)
            plan_again(session, schedule, actor, now, db.rules.scheduled_runs_ahead)
        else:
            unplan(session, schedule, now)
        announce_change(session, schedule, "schedule.edited", actor, now)
        return schedule


def _reset(schedule: Schedule, names: Sequence[str]) -> None:
    if schedule.declared is None:
        raise Conflict("No code declares this schedule as far as the server knows; there is nothing to go back to.")
    try:
        fill(schedule, declarations.reset(schedule.declared, declaration_of(schedule), names), whole=True)
    except declarations.UnknownField as error:
        raise Invalid(str(error)) from error


def change(db: Database, actor: Actor, schedule_id: UUID, request: EditSchedule) -> Schedule:
    """Do what a request asks for: switch the schedule on or off if that is all, and edit it otherwise."""
    policy = policy_of(request)
    parts = (request.document, request.parameters, request.labels, request.run_config, request.version)
    if any(part is not None for part in parts) or request.reset or policy != Policy():
        return edit(
            db, actor, schedule_id, request.document, request.parameters,
            labels=request.labels, run_config=request.run_config, active=request.active, policy=policy,
            reset=request.reset, version=request.version,
        )  # fmt: skip
    if request.active is None:
        raise Invalid(
            "Nothing to change; send active, document, parameters, labels, run_config, catch_up, catch_up_cap, catch_up_window, overlap or reset."
        )
    return set_active(db, actor, schedule_id, request.active)


@keyed("schedule.delete")
def delete(
    db: Database, actor: Actor, schedule_id: UUID, *, declared: bool = True, now: datetime | None = None
) -> None:
    """Delete a schedule and the runs that are only planned; runs already due stay. Raises Conflict if the flow's code declares it, unless
    `declared` ones may go, too: it would come back as soon as the code says something else of it."""
    now = now or clock.now()
    with db.write("schedule.delete") as session:
        schedule = locked(session, schedule_id)
        if schedule.origin == "code" and not declared:
            raise Conflict(
                "The flow's code declares this schedule; pause it, or remove it from the code and deploy that."
            )
        remove(session, schedule, actor, now)


def deletion(db: Database, schedule_id: UUID, *, now: datetime | None = None) -> ScheduleDeletion:
    """What deleting the schedule would delete. Raises NotFound."""
    with db.read() as session:
        row = read_schedules.get(session, schedule_id)
        if row is None:
            raise NotFound("There is no such schedule; it may have been deleted.")
        planned = read_schedules.planned_runs(session, schedule_id, now or clock.now())
    return ScheduleDeletion(planned_runs=planned, declared=row.origin == "code")


@retried
def keep_ahead(db: Database, ids: Sequence[UUID], *, now: datetime | None = None, actor: Actor = SYSTEM) -> PlanCounts:
    """Create the missing runs of these schedules. Two schedulers may do this at once; each due time gets one run."""
    now = now or clock.now()
    with db.read() as session:
        documents = read_schedules.documents(session, ids)
    for document in documents.values():
        with suppress(*MALFORMED):  # planning switches it off
            look_ahead([document], now, db.rules.scheduled_runs_ahead)
    with db.write("sched.run") as session:
        due_schedules = schedules.lock_active(session, ids)
        return plan_runs(session, due_schedules, actor, now, db.rules.scheduled_runs_ahead)


def to_plan(db: Database, now: datetime) -> list[UUID]:
    """The schedules that must be planned now."""
    with db.read() as session:
        return read_schedules.to_plan(session, now)


def out_of_date(db: Database, now: datetime, *, steady: bool = False) -> list[UUID]:
    """The schedules with planned runs at times that aren't due any more: the rules of their time zone have changed. With a `steady`
    clock also those with runs too far ahead: they were planned by a wrong clock."""
    with db.read() as session:
        planned = read_schedules.planned(session, now)
        documents = read_schedules.documents(session, list(planned))
        outrun = read_schedules.skipped_beyond(session, now) if steady else []
    ahead = db.rules.scheduled_runs_ahead if steady else None
    return outrun + [
        id
        for id, times in planned.items()
        if _is_out_of_date(documents.get(id), times, now, ahead) and id not in outrun
    ]


@retried
def move_planned(db: Database, schedule_id: UUID, *, now: datetime | None = None, actor: Actor = SYSTEM) -> bool:
    """Plan a schedule again by the current rules of its time zone, with an event that says so; False when it was deleted or is off."""
    now = now or clock.now()
    with db.write("schedule.move") as session:
        schedule = schedules.lock(session, schedule_id)
        if schedule is None or not schedule.active:
            return False
        catch_up_missed(session, schedule, actor, now, db.rules.scheduled_runs_ahead)
        forget_future_skips(session, schedule, now)
        keep_left_out(session, schedule, now)
        plan_again(session, schedule, actor, now, db.rules.scheduled_runs_ahead)
        announce_change(session, schedule, "schedule.moved", actor, now)
        return True


def _is_out_of_date(document: JsonDocument | None, planned: list[datetime], now: datetime, ahead: int | None) -> bool:
    if document is None:
        return False  # the schedule was deleted in between
    try:
        rule = parse(document)
        return has_moved(rule, planned) or (ahead is not None and too_far_ahead(rule, now, planned, ahead))
    except MALFORMED:
        return False  # planning switches it off
