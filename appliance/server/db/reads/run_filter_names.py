"""What a filter for runs names must exist: an empty list would say that all is well where the name is only misspelt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from appliance.kit import suggestions
from appliance.protocol.run_filter import RunFilter
from appliance.protocol.states import STATE_NAMES, STATE_TYPES
from appliance.server.db.reads import readable, run_filters
from appliance.server.db.reads.pages import like
from appliance.server.db.tables import metadata
from appliance.server.domain.run_query import RunQuery
from appliance.server.domain.sanitize import composed
from appliance.server.errors import Invalid, UnknownName

_run, _flow, _project = (metadata.tables[name] for name in ("flow_run", "flow", "project"))
_version, _agent, _task = (metadata.tables[name] for name in ("flow_version", "agent", "task_run"))
_MOST = 1_000
_MOST_VALUES, _LONGEST, _LARGEST = 50, 500, 1e300


def check(session: Session, criteria: RunFilter) -> None:
    """Raise UnknownName if a state, project or flow of the filter doesn't exist, and Invalid if its values can't be used."""
    _check_values(criteria)
    for state in criteria.states:
        check_state(session, state)
    if criteria.project is not None:
        check_project(session, criteria.project)
    if criteria.flow is not None:
        _check_flow(session, criteria)
    if criteria.flow_id is not None:
        _check_flow_id(session, criteria)
    if isinstance(criteria, RunQuery) and criteria.agent is not None:
        _check_agent(session, criteria.agent)


def check_state(session: Session, state: str) -> None:
    """Raise UnknownName unless this is a state's type or name. Code may define states, whose names only their runs know."""
    if state in STATE_TYPES or state in STATE_NAMES:
        return
    if not state.isupper() and not _none(session, select(_run.c.id).where(_run.c.state_name == state)):
        return
    known = STATE_TYPES if state.isupper() else STATE_NAMES
    raise unknown("state", state, known, "use a name such as Failed or TimedOut, or one of the types")


def check_tasks(session: Session, run: UUID, states: Iterable[str], task: str | None) -> None:
    """Raise UnknownName if a state of a filter for a run's task runs doesn't exist, or the run has no such task."""
    for state in states:
        if not state.isupper() and not _none(session, _tasks(run).where(_task.c.state_name == state)):
            continue
        check_state(session, state)
    if task is None or not _none(session, _tasks(run).where(_task.c.task_slug == task)):
        return
    graph = select(_version.c.graph).join(_run, _run.c.flow_version_id == _version.c.id).where(_run.c.id == run)
    slugs = [item["slug"] for item in (session.execute(graph).scalar() or {}).get("tasks", ())]
    if task not in slugs:
        raise unknown("task", task, slugs, "the tasks are")


def check_project(session: Session, project: str) -> None:
    """Raise UnknownName if there is no such project."""
    if _none(session, select(_project.c.id).where(_project.c.name == project)):
        raise unknown("project", project, _texts(session, select(_project.c.name)), "the projects are")


def check_what_no_run_has(session: Session, criteria: RunFilter) -> None:
    """Raise UnknownName if a label or parameter of a filter that no run matches isn't one of any agent, flow or recent run either."""
    if not criteria.labels and not criteria.parameters:
        return
    versions = select(_version.c.labels, _version.c.run_config, _version.c.parameters).order_by(_version.c.id.desc())
    if criteria.flow_id is not None:
        versions = versions.where(_version.c.flow_id == criteria.flow_id)
    elif run_filters.names_flows(criteria):
        versions = versions.where(_version.c.flow_id.in_(run_filters.flows_named(session, criteria)))
    declared = readable.every(session, versions.limit(_MOST))
    runs = select(_run.c.labels, _run.c.parameters).order_by(_run.c.scheduled_time.desc(), _run.c.id.desc())
    recent = readable.every(session, runs.limit(_MOST))
    if criteria.labels:
        labels = _flat(readable.scalars(session, select(_agent.c.labels).limit(_MOST)))
        labels |= _flat(row.labels for row in (*declared, *recent))
        labels |= _flat(row.run_config.get("labels") or () for row in declared)
        _refuse("label", map(composed, criteria.labels), labels, "the labels are")
    parameters = {item["name"] for row in declared for item in row.parameters} | _flat(row.parameters for row in recent)
    _refuse("parameter", criteria.parameters, parameters, "the parameters are")


def unknown(kind: str, name: str, known: Iterable[str], otherwise: str, where: str = "") -> UnknownName:
    """The error for a name that doesn't exist, with the one that was probably meant."""
    hint = suggestions.hint(name[:80], list(known), otherwise)
    return UnknownName(f"There is no {kind} {name[:80]!r}{where}; {hint}")


def like_flow(session: Session, project: str, name: str) -> str | None:
    """The flow, as project/flow, that was probably meant by one that doesn't exist."""
    flows = select(_flow.c.name, _project.c.name.label("project")).join(_project, _project.c.id == _flow.c.project_id)
    rows = readable.every(session, flows.order_by(_flow.c.name).limit(_MOST))
    return suggestions.closest(f"{project}/{name}"[:160], [f"{row.project}/{row.name}" for row in rows])


def _check_values(criteria: RunFilter) -> None:
    for name, values in (("states", criteria.states), ("labels", criteria.labels), ("parameters", criteria.parameters)):
        if len(values) > _MOST_VALUES:
            raise Invalid(f"The filter has too many {name}; use at most {_MOST_VALUES}.")
    names = (criteria.flow, criteria.project, criteria.name, criteria.text, *criteria.states, *criteria.labels)
    texts = [text for text in (*names, *criteria.parameters, *criteria.parameters.values()) if isinstance(text, str)]
    if any(len(text) > _LONGEST for text in texts):
        raise Invalid(f"A text of the filter is too long; use at most {_LONGEST} characters.")
    if any("\0" in text for text in texts):
        raise Invalid("A text of the filter contains a NUL character, which no name or value has; remove it.")
    if any(isinstance(value, int | float) and not abs(value) < _LARGEST for value in criteria.parameters.values()):
        raise Invalid("A number of the filter is too large.")
    if criteria.name == "":
        raise Invalid("The filter matches nothing, since its name is empty; leave it out, or name a run.")
    if criteria.since is not None and criteria.until is not None and criteria.since >= criteria.until:
        raise Invalid("The filter matches nothing, since `since` is not before `until`; exchange them.")
    longer, shorter = criteria.longer_than, criteria.shorter_than
    if longer is not None and longer < 0:
        raise Invalid("The filter's `longer_than` is not a length of time; use seconds, 0 or more.")
    if shorter is not None and shorter <= 0:
        raise Invalid("The filter matches nothing, since `shorter_than` is not more than 0; use seconds.")
    if longer is not None and shorter is not None and longer >= shorter:
        raise Invalid("The filter matches nothing, since `longer_than` is not less than `shorter_than`; exchange them.")


def _check_flow(session: Session, criteria: RunFilter) -> None:
    assert criteria.flow is not None
    if not _none(session, run_filters.flows_named(session, criteria)):
        return
    flows = select(_flow.c.name, _project.c.name.label("project")).join(_project, _project.c.id == _flow.c.project_id)
    if criteria.project is not None:
        flows = flows.where(_project.c.name == criteria.project)
    rows = readable.every(session, flows.order_by(_flow.c.name).limit(_MOST))
    known = list(dict.fromkeys(f"{row.project}/{row.name}" if "/" in criteria.flow else row.name for row in rows))
    where = "" if criteria.project is None else f" in project {criteria.project[:80]!r}"
    raise unknown("flow", criteria.flow, known, "its flows are" if where else "the flows are", where)


def _check_flow_id(session: Session, criteria: RunFilter) -> None:
    this = select(_flow.c.id).where(_flow.c.id == criteria.flow_id)
    if _none(session, this):
        raise UnknownName("There is no flow with this id; it may have been deleted.")
    if run_filters.names_flows(criteria) and _none(
        session, this.where(_flow.c.id.in_(run_filters.flows_named(session, criteria)))
    ):
        raise UnknownName(
            "The filter matches nothing, since its flow id is of another flow than its names; leave one out."
        )


def _check_agent(session: Session, agent: str) -> None:
    if _none(session, select(_agent.c.id).where(like(session, _agent.c.name, agent))):
        raise unknown("agent", agent, _texts(session, select(_agent.c.name)), "the agents are")


def _tasks(run: UUID) -> Select[Any]:
    return select(_task.c.id).where(_task.c.flow_run_id == run)


def _refuse(kind: str, names: Iterable[str], known: set[str], otherwise: str) -> None:
    for name in names:
        if name not in known:
            raise unknown(kind, name, known, otherwise)


def _none(session: Session, query: Select[Any]) -> bool:
    return session.execute(query.limit(1)).first() is None


def _texts(session: Session, query: Select[Any]) -> list[str]:
    return readable.scalars(session, query.limit(_MOST))


def _flat(lists: Iterable[Iterable[str]]) -> set[str]:
    return {name for names in lists for name in names}
