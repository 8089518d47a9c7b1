"""Turns the filter for flow runs into conditions in SQL: the only place that does, for lists, counts and bulk actions.

A condition is served by an index range, checked in the entries of a covering index, or, being about columns that no index has,
checked in the rows themselves.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    BindParameter,
    Boolean,
    ColumnElement,
    Float,
    Numeric,
    Select,
    String,
    bindparam,
    cast,
    extract,
    func,
    literal,
    or_,
    select,
    text,
    type_coerce,
)
from sqlalchemy.orm import Session

from appliance.protocol.run_filter import RunFilter
from appliance.server.db.reads.pages import contains, like
from appliance.server.db.tables import metadata
from appliance.server.db.tables.columns import Time
from appliance.server.domain.run_query import RunQuery
from appliance.server.domain.sanitize import composed
from appliance.server.errors import Invalid

_run, _flow, _project = (metadata.tables[name] for name in ("flow_run", "flow", "project"))
_agent, _version, _task = (metadata.tables[name] for name in ("agent", "flow_version", "task_run"))

Condition = ColumnElement[bool]
_HAS_LABELS = {
    "sqlite": "not exists (select 1 from json_each(:wanted_labels) as wanted"
    " where wanted.value not in (select value from json_each(flow_run.labels)))",
    "postgresql": "flow_run.labels @> cast(:wanted_labels as jsonb)",
}
SCHEDULE = "schedule"
"""What a query calls the creator of runs that a schedule has created."""
_DAY = 86_400.0
_WHOLE = 2**63
"""SQLite's integers are smaller."""


def every(session: Session, criteria: RunFilter, now: datetime) -> list[Condition]:
    """All conditions of the filter."""
    conditions = [*due(criteria), *states(criteria), *texts(session, criteria), *of_rows(session, criteria, now)]
    if hides_future(criteria):
        conditions.append(default_condition(now))
    if criteria.flow_id is not None:
        conditions.append(_run.c.flow_id == criteria.flow_id)
    if names_flows(criteria):
        conditions.append(_run.c.flow_id.in_(flows_named(session, criteria)))
    return conditions


def due(criteria: RunFilter) -> list[Condition]:
    """The range of due times."""
    conditions: list[Condition] = []
    if criteria.since is not None:
        conditions.append(_run.c.scheduled_time >= criteria.since)
    if criteria.until is not None:
        conditions.append(_run.c.scheduled_time < criteria.until)
    return conditions


def states(criteria: RunFilter) -> list[Condition]:
    """One of the types, or one of the names."""
    either = [_run.c.state_type == type for type in criteria.state_types]
    either += [_run.c.state_name == name for name in criteria.state_names]
    conditions = [or_(*either)] if either else []
    if isinstance(criteria, RunQuery) and criteria.types:
        conditions.append(_run.c.state_type.in_(criteria.types))
    return conditions


def texts(session: Session, criteria: RunFilter) -> list[Condition]:
    """What names must be or contain."""
    conditions: list[Condition] = []
    if criteria.name is not None:
        conditions.append(_run.c.name == criteria.name)
    if criteria.text:
        flows = select(_flow.c.id).where(contains(session, _flow.c.name, criteria.text))
        conditions.append(or_(contains(session, _run.c.name, criteria.text), _run.c.flow_id.in_(flows)))
    return conditions


def of_rows(session: Session, criteria: RunFilter, now: datetime) -> list[Condition]:
    """Labels, parameters, how long runs took, and most of what only a query asks for: no index has them, so that each run is read."""
    dialect = session.get_bind().dialect.name
    conditions: list[Condition] = []
    if criteria.labels:
        labels = msgspec.json.encode(sorted(set(map(composed, criteria.labels)))).decode()
        has_labels = text(_HAS_LABELS[dialect]).bindparams(bindparam("wanted_labels", labels, String))
        conditions.append(type_coerce(has_labels, Boolean()))
    conditions.extend(_parameter(dialect, name, value) for name, value in sorted(criteria.parameters.items()))
    if criteria.longer_than is not None:
        conditions.append(_seconds(dialect, now) > criteria.longer_than)
    if criteria.shorter_than is not None:
        conditions.append(_seconds(dialect, now) < criteria.shorter_than)
    if criteria.parent is not None:
        conditions.append(_run.c.parent_flow_run_id == criteria.parent)
    if isinstance(criteria, RunQuery):
        conditions.extend(_of_query(session, criteria))
    return conditions


def _of_query(session: Session, criteria: RunQuery) -> list[Condition]:
    conditions: list[Condition] = []
    if criteria.agent is not None:
        agents = select(_agent.c.id).where(like(session, _agent.c.name, criteria.agent))
        conditions.append(_run.c.agent_id.in_(agents))
    if criteria.flow_version is not None:
        versions = select(_version.c.id).where(_version.c.number == criteria.flow_version)
        conditions.append(_run.c.flow_version_id.in_(versions))
    if criteria.is_subrun is not None:
        none = _run.c.parent_flow_run_id.is_(None)
        conditions.append(~none if criteria.is_subrun else none)
    if criteria.created_by == SCHEDULE:
        conditions.append(_run.c.schedule_id.is_not(None))
    elif criteria.created_by is not None:
        conditions.append((_run.c.created_by == criteria.created_by) & _run.c.schedule_id.is_(None))
    if criteria.error is not None:
        # not `exists`, for which Postgres may read all failed tasks first
        failed = select(_task.c.id).where(_task.c.flow_run_id == _run.c.id, _task.c.state_type == "FAILED")
        failed = failed.where(contains(session, _task.c.state_message, criteria.error)).limit(1)
        in_task = failed.correlate(_run).scalar_subquery().is_not(None)
        in_run = contains(session, _run.c.state_message, criteria.error)
        conditions.append((_run.c.state_type == "FAILED") & or_(in_run, in_task))
    if criteria.started_since is not None:
        conditions.append(_run.c.start_time >= criteria.started_since)
    if criteria.started_until is not None:
        conditions.append(_run.c.start_time < criteria.started_until)
    return conditions


_MOST_PARTS = 10


def names_flows(criteria: RunFilter) -> bool:
    """Whether the filter names flows or projects."""
    return criteria.flow is not None or criteria.project is not None


def project_and_flow(text: str) -> list[tuple[str, str]]:
    """What `project/flow` may mean: names of flows may contain slashes, and so may those of projects that an earlier release made."""
    parts = text.split("/")[:_MOST_PARTS]
    rest = text.split("/")[len(parts) :]
    return [("/".join(parts[:at]), "/".join([*parts[at:], *rest])) for at in range(1, len(parts)) if all(parts[:at])]


def flows_named(session: Session, criteria: RunFilter) -> Select[Any]:
    """The ids of the flows that the filter names, directly, as project/flow, or by project. In a query, `*` stands for any text."""
    flows = select(_flow.c.id).join(_project, _project.c.id == _flow.c.project_id)
    if criteria.flow is not None and isinstance(criteria, RunQuery) and "*" in criteria.flow:
        whole = _project.c.name + "/" + _flow.c.name
        flows = flows.where(like(session, whole if "/" in criteria.flow else _flow.c.name, criteria.flow))
    elif criteria.flow is not None:
        named: Condition = _flow.c.name == criteria.flow
        for project, name in project_and_flow(criteria.flow):
            named = or_(named, (_project.c.name == project) & (_flow.c.name == name))
        flows = flows.where(named)
    if criteria.project is not None:
        flows = flows.where(_project.c.name == criteria.project)
    return flows


def hides_future(criteria: RunFilter) -> bool:
    """Whether runs planned for later are left out: without a filter on states, unless they are asked for."""
    return not (criteria.include_future or criteria.states)


def default_condition(now: datetime | BindParameter[Any]) -> Condition:
    """What leaves out runs planned for later."""
    return or_(_run.c.state_type != "SCHEDULED", _run.c.scheduled_time <= now, _run.c.attempt > 0)


def _parameter(dialect: str, name: str, value: Any) -> Condition:
    if isinstance(value, list | dict):
        raise Invalid(
            f"Runs can't be selected by the list or object in parameter {name[:80]!r}; use a text, number, true, false, or null."
        )
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import JSONB

        document = cast(literal(msgspec.json.encode(value).decode(), String), JSONB)
        return func.jsonb_extract_path(_run.c.parameters, name, type_=JSONB) == document
    each = func.json_each(_run.c.parameters).table_valued("key", "atom", "type", name="parameter")
    same: Condition
    if value is None or isinstance(value, bool):
        same = each.c.type == {None: "null", True: "true", False: "false"}[value]
    elif isinstance(value, str):
        same = (each.c.type == "text") & (each.c.atom == value)
    else:
        number = float(value) if abs(value) >= _WHOLE else value
        same = each.c.type.in_(("integer", "real")) & (each.c.atom == number)
    return select(literal(1)).select_from(each).where(each.c.key == name, same).correlate(_run).exists()


def _seconds(dialect: str, now: datetime) -> ColumnElement[Any]:
    """How long a run took so far, to the millisecond; null if it has not started."""
    end = func.coalesce(_run.c.end_time, literal(now, Time))
    if dialect == "sqlite":
        days = func.julianday(end, type_=Float) - func.julianday(_run.c.start_time, type_=Float)
        return func.round(days * _DAY, 3, type_=Float)
    return func.round(cast(extract("epoch", end - _run.c.start_time), Numeric), 3, type_=Float)
