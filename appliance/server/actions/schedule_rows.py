"""What the actions on schedules have in common: a schedule's row made and filled from a document, checked, changed and removed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import effort, ids
from appliance.kit.documents import JsonDocument, Parameters
from appliance.protocol.schedules import FieldEdit, PolicyFields
from appliance.schedules import ScheduleError, parse, policies, validate
from appliance.server.actions import run_configs
from appliance.server.actions.flow_runs.new_runs import merge_parameters
from appliance.server.actions.names import labels_of
from appliance.server.actions.planning import MALFORMED, unplan
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import mapped_flows
from appliance.server.db.reads import schedules as read_schedules
from appliance.server.db.rows.schedules import ScheduleRow
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.tables.schedules import Schedule
from appliance.server.db.writes import schedules
from appliance.server.domain import declarations
from appliance.server.domain import parameters as parameter_rules
from appliance.server.domain import run_configs as config_rules
from appliance.server.domain.scheduling import is_due
from appliance.server.errors import Conflict, Invalid, NotFound
from appliance.server.events.outbox import announce

_BESIDE = frozenset({"parameters", "labels", "run_config", *policies.DEFAULTS})  # kept in columns of their own


MOST_PER_FLOW = 100
_MOST_STEPS = 200_000
"""Of some 5 µs each, for all schedules of one request."""


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


def new_row(session: Session, flow: Flow, document: JsonDocument, origin: str, active: bool, now: datetime) -> Schedule:
    """A schedule of the flow, as the document says."""
    schedule = Schedule(
        id=ids.uuid7(), flow_id=flow.id, kind="", document={}, active=active, origin=origin, created=now, updated=now
    )
    schedule.scheduled_until = schedule.plan_at = now
    fill(schedule, document)
    session.add(schedule)
    session.flush()
    return schedule


def look_ahead(documents: Sequence[JsonDocument], now: datetime, ahead: int) -> None:
    """Compute the next times of schedules before the transaction that needs them, since they may take long. Raises Invalid."""
    with computed():
        for document in documents:
            validate(document).next(ahead, now)


@contextmanager
def computed(most: int | None = _MOST_STEPS) -> Iterator[None]:
    """Around what computes the times of schedules that a caller has sent, within a number of steps. Raises Invalid."""
    try:
        with effort.limited(most):
            yield
    except ScheduleError as error:
        raise Invalid(str(error), **({"field": error.field} if error.field else {})) from error
    except ArithmeticError as error:
        raise Invalid("The schedule's times are too far in the future or the past to be computed.") from error
    except effort.TooLong as error:
        raise Invalid("The schedule's times take too long to compute; simplify its rule or its filters.") from error


def fill(schedule: Schedule, document: JsonDocument, *, whole: bool = False) -> None:
    """Give the schedule what the document says: times, parameters, labels, run config, and the policies in it; in a `whole` one, those that it
    leaves out are as by default. Raises Invalid.
    """
    with computed(None):
        validate(document).next(1, schedule.updated)
    parameters, labels = document.get("parameters") or {}, document.get("labels") or []
    if not isinstance(parameters, dict) or not isinstance(labels, list) or not all(isinstance(x, str) for x in labels):
        raise Invalid("A schedule's parameters must be an object and its labels a list of strings.")
    schedule.document = {key: value for key, value in document.items() if key not in _BESIDE}
    schedule.kind = document["kind"]
    schedule.timezone = document.get("timezone") or "UTC"
    schedule.parameters = storable(parameters)
    config = document.get("run_config")
    if run_configs.labels_in(config):
        raise Invalid("Say the labels of a schedule beside its run config, not in it.")
    schedule.labels = labels_of(labels)
    schedule.run_config = run_configs.override_of(config) or None
    if whole:
        for name, value in policies.DEFAULTS.items():
            setattr(schedule, name, value)
    _set_policies(schedule, document)


def declaration_of(schedule: Schedule | ScheduleRow) -> JsonDocument:
    """The schedule as one document, like those that code declares."""
    own: dict[str, Any] = {name: getattr(schedule, name) for name in policies.DEFAULTS}
    own |= {} if schedule.run_config is None else {"run_config": schedule.run_config}
    return {**schedule.document, "parameters": schedule.parameters, "labels": schedule.labels, **own}


def edits_of(schedule: Schedule | ScheduleRow) -> list[FieldEdit]:
    """What operators have changed of a schedule that code declares."""
    edits = [] if schedule.declared is None else declarations.edits(schedule.declared, declaration_of(schedule))
    for edit in edits:
        if edit.field == "run_config":
            edit.value, edit.code = config_rules.for_people(edit.value), config_rules.for_people(edit.code)
    return edits


def storable(parameters: Parameters) -> Parameters:
    """The parameters, if the database can keep them. Raises Invalid."""
    problems = parameter_rules.unstorable(parameters)
    if problems:
        raise Invalid(problems[0])
    return parameters


def set_policy(schedule: Schedule, policy: Policy) -> None:
    """Change what a request says of the policies. Raises Invalid."""
    _set_policies(schedule, vars(policy))


def _set_policies(schedule: Schedule, values: dict[str, Any]) -> None:
    try:
        for name, value in policies.require(values).items():
            setattr(schedule, name, value or None if name == "catch_up_window" else value)
    except ScheduleError as error:
        raise Invalid(str(error)) from error


def require_startable(session: Session, flow: Flow, version: FlowVersion, schedule: Schedule) -> None:
    """Raise Invalid unless runs of the version can have the schedule's parameters and its run config, and an agent may start them."""
    require_runnable(flow, version, schedule.parameters)
    if schedule.run_config:
        labels = schedule.labels or flow.overrides.get("labels") or version.labels
        config = run_configs.merged(flow, version, schedule.run_config)
        run_configs.refuse_closed(session, flow.project_id, version, labels, config)


def require_runnable(flow: Flow, version: FlowVersion, parameters: Parameters) -> None:
    """Raise Invalid unless runs of the version can have these parameters."""
    missing = parameter_rules.missing(version.parameters, flow.overrides.get("parameters") or {}, parameters)
    if missing:
        names = ", ".join(map(repr, missing))
        raise Invalid(
            f"Flow {flow.name!r} can't be scheduled because its required parameter {names} has no value; "
            "give the parameter a default or the schedule a value for it.",
            field="parameters",
            missing=missing,
        )
    merge_parameters(flow, version, parameters)


def flow_of(session: Session, flow_id: UUID) -> tuple[Flow, FlowVersion]:
    """A flow that may have schedules, and its newest version."""
    flow, version = session.get(Flow, flow_id), mapped_flows.newest_version(session, flow_id)
    if flow is None or version is None:
        raise NotFound("There is no such flow; check the list of flows.")
    if flow.archived:
        raise Conflict(f"Flow {flow.name!r} is archived; take it out of the archive first.")
    return flow, version


def locked(session: Session, schedule_id: UUID) -> Schedule:
    """The schedule, locked until the transaction ends."""
    schedule = schedules.lock(session, schedule_id)
    if schedule is None:
        raise NotFound("There is no such schedule; it may have been deleted.")
    return schedule


def remove(session: Session, schedule: Schedule, actor: Actor, now: datetime) -> None:
    """Delete a schedule with the runs that are only planned."""
    unplan(session, schedule, now)
    session.delete(schedule)
    session.flush()
    announce_change(session, schedule, "schedule.deleted", actor, now)


def touch(session: Session, schedule: Schedule, now: datetime) -> None:
    """Count a change of the schedule."""
    schedule.version += 1
    schedule.updated = now
    session.flush()
    keep_left_out(session, schedule, now)


def keep_left_out(session: Session, schedule: Schedule, now: datetime) -> None:
    """After a change: what people have left out of the coming due times stays so, unless the schedule is no longer due then."""
    rows = read_schedules.left_out(session, [schedule.id], now).get(schedule.id, {})
    gone: list[int] = []
    if rows:
        with suppress(*MALFORMED):
            rule = parse(schedule.document)
            gone = [row.id for time, row in rows.items() if not is_due(rule, time)]
    schedules.remove_skips(session, gone)
    schedules.keep_skips(session, [row.id for row in rows.values() if row.id not in gone], schedule.version)


def announce_change(session: Session, schedule: Schedule, kind: str, actor: Actor, now: datetime) -> None:
    """Tell who follows the schedule's flow."""
    announce(session, "schedule", schedule.id, kind, {"flow_id": str(schedule.flow_id)}, actor, now)
