"""Schedules: created, edited, switched and deleted by people, or declared in a flow's code. Their planned runs follow every change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from appliance.kit import clock, ids
from appliance.kit.documents import JsonDocument, Parameters
from appliance.protocol.schedules import EditSchedule, PolicyFields
from appliance.schedules import ScheduleError, parse, validate
from appliance.server.actions.flow_runs.new_runs import merge_parameters
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
from appliance.server.auth.identity import SYSTEM, Actor
from appliance.server.db.reads import mapped_flows
from appliance.server.db.reads import schedules as read_schedules
from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.tables.schedules import Schedule
from appliance.server.db.writes import schedules
from appliance.server.domain import parameters as parameter_rules
from appliance.server.domain.scheduling import MOST_CAUGHT_UP, has_moved, too_far_ahead
from appliance.server.domain.scheduling import POLICIES as CATCH_UP
from appliance.server.errors import Conflict, Invalid, NotFound
from appliance.server.events.outbox import announce

MOST_PER_FLOW = 100
OVERLAP = ("allow", "queue", "skip", "cancel")
_LONGEST_WINDOW = 3_660 * 86_400.0
_BESIDE = frozenset({"parameters", "labels"})  # kept in columns of their own


@dataclass(frozen=True)
class Policy:
    """What happens to missed due times and to runs that overlap; None leaves a part as it is.

    `catch_up_window` is in seconds; 0 removes the window.
    """

    catch_up: str | None = None
    catch_up_cap: int | None = None
    catch_up_window: float | None = None
    overlap: str | None = None


def policy_of(request: PolicyFields) -> Policy:
    """The policies in a request."""
    return Policy(request.catch_up, request.catch_up_cap, request.catch_up_window, request.overlap)


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
    with db.write("schedule.create") as session:
        flow, version = _flow(session, flow_id)
        if len(schedules.lock_of_flow(session, flow_id)) >= MOST_PER_FLOW:
            raise Conflict(f"The flow has {MOST_PER_FLOW} schedules already; delete one first.")
        if parameters is not None:
            document = document | {"parameters": parameters}
        schedule = _new(session, flow, document, "ui", True, now)
        _set_policy(schedule, policy or Policy())
        _require_runnable(flow, version, schedule)
        plan_runs(session, [schedule], actor, now, db.rules.scheduled_runs_ahead)
        _announce(session, schedule, "schedule.created", actor, now)
        return schedule


@keyed("schedule.set_active")
def set_active(db: Database, actor: Actor, schedule_id: UUID, active: bool, *, now: datetime | None = None) -> Schedule:
    """Switch a schedule off, which removes the runs that are only planned, or on, which plans the next ones at once."""
    now = now or clock.now()
    with db.write("schedule.switch") as session:
        schedule = _locked(session, schedule_id)
        if schedule.active == active:
            return schedule
        catch_up_missed(session, schedule, actor, now, db.rules.scheduled_runs_ahead)
        schedule.active = active
        _touch(session, schedule, now)
        if active:
            flow, version = _flow(session, schedule.flow_id)
            _require_runnable(flow, version, schedule)
            plan_again(session, schedule, actor, now, db.rules.scheduled_runs_ahead)
        else:
            unplan(session, schedule, now)
        _announce(session, schedule, "schedule.activated" if active else "schedule.paused", actor, now)
        return schedule


@keyed("schedule.edit")
def edit(
    db: Database,
    actor: Actor,
    schedule_id: UUID,
    document: JsonDocument | None = None,
    parameters: Parameters | None = None,
    *,
    active: bool | None = None,
    catch_up: str | None = None,
    policy: Policy | None = None,
    now: datetime | None = None,
) -> Schedule:
    """Change a schedule's times, parameters or policies, or switch it on or off; its planned runs are replaced."""
    now = now or clock.now()
    with db.write("schedule.edit") as session:
        schedule = _locked(session, schedule_id)
        catch_up_missed(session, schedule, actor, now, db.rules.scheduled_runs_ahead)
        if document is not None:
            _fill(schedule, {"parameters": schedule.parameters, "labels": schedule.labels} | document)
        if parameters is not None:
            schedule.parameters = _storable(parameters)
        _set_policy(schedule, policy or Policy(catch_up=catch_up))
        schedule.active = schedule.active if active is None else active
        _touch(session, schedule, now)
        if schedule.active:
            flow, version = _flow(session, schedule.flow_id)
            _require_runnable(flow, version, schedule)
            plan_again(session, schedule, actor, now, db.rules.scheduled_runs_ahead)
        else:
            unplan(session, schedule, now)
        _announce(session, schedule, "schedule.edited", actor, now)
        return schedule


def change(db: Database, actor: Actor, schedule_id: UUID, request: EditSchedule) -> Schedule:
    """Do what a request asks for: switch the schedule on or off if that is all, and edit it otherwise."""
    policy = policy_of(request)
    if request.document is not None or request.parameters is not None or policy != Policy():
        return edit(db, actor, schedule_id, request.document, request.parameters, active=request.active, policy=policy)
    if request.active is None:
        raise Invalid(
            "Nothing to change; send active, document, parameters, catch_up, catch_up_cap, catch_up_window or overlap."
        )
    return set_active(db, actor, schedule_id, request.active)


@keyed("schedule.delete")
def delete(db: Database, actor: Actor, schedule_id: UUID, *, now: datetime | None = None) -> None:
    """Delete a schedule and the runs that are only planned; runs already due stay."""
    now = now or clock.now()
    with db.write("schedule.delete") as session:
        _remove(session, _locked(session, schedule_id), actor, now)


@retried
def keep_ahead(db: Database, ids: Sequence[UUID], *, now: datetime | None = None, actor: Actor = SYSTEM) -> PlanCounts:
    """Create the missing runs of these schedules. Two schedulers may do this at once; each due time gets one run."""
    now = now or clock.now()
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
    ahead = db.rules.scheduled_runs_ahead if steady else None
    return [id for id, times in planned.items() if _is_out_of_date(documents.get(id), times, now, ahead)]


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
        plan_again(session, schedule, actor, now, db.rules.scheduled_runs_ahead)
        _announce(session, schedule, "schedule.moved", actor, now)
        return True


def _is_out_of_date(document: JsonDocument | None, planned: list[datetime], now: datetime, ahead: int | None) -> bool:
    if document is None:
        return False  # the schedule was deleted in between
    try:
        rule = parse(document)
        return has_moved(rule, planned) or (ahead is not None and too_far_ahead(rule, now, planned, ahead))
    except MALFORMED:
        return False  # planning switches it off


def sync_with_code(
    session: Session, flow: Flow, version: FlowVersion, active: bool, actor: Actor, now: datetime, ahead: int
) -> None:
    """Synchronize the schedules declared in code with the version: unchanged ones stay, new ones are added, all others are removed.

    All active schedules of the flow are planned again, because their planned runs belong to the previous version.
    """
    declared = {
        _key(document, document.get("parameters"), document.get("labels")): document for document in version.schedules
    }
    for schedule in schedules.lock_of_flow(session, flow.id):
        if schedule.origin == "code":
            key = _key(schedule.document, schedule.parameters, schedule.labels)
            if declared.pop(key, None) is None:
                _remove(session, schedule, actor, now)
                continue
        if schedule.active:
            catch_up_missed(session, schedule, actor, now, ahead)
            plan_again(session, schedule, actor, now, ahead)
    for document in declared.values():
        schedule = _new(session, flow, document, "code", active, now)
        if active:
            _require_runnable(flow, version, schedule)
            plan_runs(session, [schedule], actor, now, ahead)
        _announce(session, schedule, "schedule.created", actor, now)


def _new(session: Session, flow: Flow, document: JsonDocument, origin: str, active: bool, now: datetime) -> Schedule:
    schedule = Schedule(
        id=ids.uuid7(), flow_id=flow.id, kind="", document={}, active=active, origin=origin, created=now, updated=now
    )
    schedule.scheduled_until = schedule.plan_at = now
    _fill(schedule, document)
    session.add(schedule)
    session.flush()
    return schedule


def _fill(schedule: Schedule, document: JsonDocument) -> None:
    try:
        validate(document).next(1, schedule.updated)
    except ScheduleError as error:
        raise Invalid(str(error)) from error
    except ArithmeticError as error:
        raise Invalid("The schedule's times are too far in the future or the past to be computed.") from error
    parameters, labels = document.get("parameters") or {}, document.get("labels") or []
    if not isinstance(parameters, dict) or not isinstance(labels, list) or not all(isinstance(x, str) for x in labels):
        raise Invalid("A schedule's parameters must be an object and its labels a list of strings.")
    schedule.document = {key: value for key, value in document.items() if key not in _BESIDE}
    schedule.kind = document["kind"]
    schedule.timezone = document.get("timezone") or "UTC"
    schedule.parameters = _storable(parameters)
    schedule.labels = labels_of(labels)


def _storable(parameters: Parameters) -> Parameters:
    problems = parameter_rules.unstorable(parameters)
    if problems:
        raise Invalid(problems[0])
    return parameters


def _set_policy(schedule: Schedule, policy: Policy) -> None:
    if policy.catch_up is not None:
        if policy.catch_up not in CATCH_UP:
            raise Invalid(f"The catch-up policy must be one of {', '.join(CATCH_UP)}, not {policy.catch_up!r}.")
        schedule.catch_up = policy.catch_up
    if policy.catch_up_cap is not None:
        if not 1 <= policy.catch_up_cap <= MOST_CAUGHT_UP:
            raise Invalid(f"The catch-up cap must be a number from 1 to {MOST_CAUGHT_UP}.")
        schedule.catch_up_cap = policy.catch_up_cap
    if policy.catch_up_window is not None:
        if not 0 <= policy.catch_up_window <= _LONGEST_WINDOW:
            raise Invalid("The catch-up window must be a number of seconds, at most ten years; 0 removes it.")
        schedule.catch_up_window = policy.catch_up_window or None
    if policy.overlap is not None:
        if policy.overlap not in OVERLAP:
            raise Invalid(f"The overlap policy must be one of {', '.join(OVERLAP)}, not {policy.overlap!r}.")
        schedule.overlap = policy.overlap


def _require_runnable(flow: Flow, version: FlowVersion, schedule: Schedule) -> None:
    missing = parameter_rules.missing(version.parameters, flow.overrides.get("parameters") or {}, schedule.parameters)
    if missing:
        names = ", ".join(map(repr, missing))
        raise Invalid(
            f"Flow {flow.name!r} can't be scheduled because its required parameter {names} has no value; "
            "give the parameter a default or the schedule a value for it."
        )
    merge_parameters(flow, version, schedule.parameters)


def _flow(session: Session, flow_id: UUID) -> tuple[Flow, FlowVersion]:
    flow, version = session.get(Flow, flow_id), mapped_flows.newest_version(session, flow_id)
    if flow is None or version is None:
        raise NotFound("There is no such flow; check the list of flows.")
    if flow.archived:
        raise Conflict(f"Flow {flow.name!r} is archived; take it out of the archive first.")
    return flow, version


def _locked(session: Session, schedule_id: UUID) -> Schedule:
    schedule = schedules.lock(session, schedule_id)
    if schedule is None:
        raise NotFound("There is no such schedule; it may have been deleted.")
    return schedule


def _remove(session: Session, schedule: Schedule, actor: Actor, now: datetime) -> None:
    unplan(session, schedule, now)
    session.delete(schedule)
    session.flush()
    _announce(session, schedule, "schedule.deleted", actor, now)


def _touch(session: Session, schedule: Schedule, now: datetime) -> None:
    schedule.version += 1
    schedule.updated = now
    session.flush()


def _announce(session: Session, schedule: Schedule, kind: str, actor: Actor, now: datetime) -> None:
    announce(session, "schedule", schedule.id, kind, {"flow_id": str(schedule.flow_id)}, actor, now)


def _key(document: JsonDocument, parameters: object, labels: Iterable[str] | None) -> bytes:
    own = {key: value for key, value in document.items() if key not in _BESIDE}
    return msgspec.json.encode([own, parameters or {}, sorted(labels or [])], order="sorted")
