"""Reads of runs that tasks of other runs have started."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from appliance.kit.documents import JsonDocument
from appliance.server.db.conditions import LIVE_NOW
from appliance.server.db.reads import readable
from appliance.server.db.rows.flow_runs import ChildRow, Starter
from appliance.server.db.rows.task_runs import GivenResult
from appliance.server.db.tables import metadata

_run, _flow, _project = (metadata.tables[name] for name in ("flow_run", "flow", "project"))
_version, _task = metadata.tables["flow_version"], metadata.tables["task_run"]
MOST_RESULTS = 5_000
_MOST_ENDED = 5_000
_CHILD = select(
    _run.c.id,
    _run.c.name,
    _flow.c.name.label("flow"),
    _run.c.state_type,
    _run.c.state_name,
    _run.c.state_message,
    _run.c.parent_waits,
    _run.c.parent_try,
).join(_flow, _flow.c.id == _run.c.flow_id)
_RESULT = select(
    _task.c.map_index,
    _task.c.state_type,
    _task.c.state_name,
    _task.c.state_message,
    _task.c.state_data,
    _task.c.result_location,
)


def of_task(session: Session, parent: UUID, slug: str, map_index: int) -> ChildRow | None:
    """The run that a task run has started."""
    return _one(session, parent, _run.c.parent_task_slug == slug, _run.c.parent_map_index == map_index)


def of_run(session: Session, parent: UUID, child: UUID) -> ChildRow | None:
    """The run with this id, if a task of the parent has started it."""
    return _one(session, parent, _run.c.id == child)


def _one(session: Session, parent: UUID, *conditions: ColumnElement[bool]) -> ChildRow | None:
    statement = _CHILD.where(_run.c.parent_flow_run_id == parent, *conditions)
    return cast(ChildRow | None, session.connection().execute(statement).one_or_none())


def starter(session: Session, run: UUID) -> Starter | None:
    """What decides about which runs the tasks of a run may start."""
    columns = (
        _run.c.flow_version_id, _version.c.number, _flow.c.name.label("flow"), _project.c.name.label("project"),
        _version.c.graph,
    )  # fmt: skip
    statement = (
        select(*columns)
        .join(_version, _version.c.id == _run.c.flow_version_id)
        .join(_flow, _flow.c.id == _run.c.flow_id)
        .join(_project, _project.c.id == _flow.c.project_id)
        .where(_run.c.id == run)
    )
    return cast(Starter | None, session.connection().execute(statement).one_or_none())


def context_of(session: Session, run: UUID) -> JsonDocument:
    """The context of a run that exists."""
    return cast(JsonDocument, session.connection().execute(select(_run.c.context).where(_run.c.id == run)).scalar_one())


def ancestors(session: Session, run: UUID, most: int) -> list[UUID]:
    """The run, the one that has started it, and so on up to `most` runs."""
    line = [run]
    while len(line) < most:
        parent = session.execute(select(_run.c.parent_flow_run_id).where(_run.c.id == line[-1])).scalar()
        if parent is None:
            break
        line.append(parent)
    return line


def ended(session: Session, parent: UUID) -> list[tuple[UUID, datetime]]:
    """The children that have ended, of those that tasks wait for, with their ends, the newest first."""
    over = (_run.c.parent_flow_run_id == parent, _run.c.parent_waits, _run.c.end_time.is_not(None))
    statement = select(_run.c.id, _run.c.end_time).where(*over).order_by(_run.c.end_time.desc())
    return [(child, end) for child, end in readable.every(session, statement.limit(_MOST_ENDED))]


def results(session: Session, child: UUID, slug: str, map_index: int) -> tuple[list[GivenResult], bool]:
    """The task run, or of a mapped one, which the second value says, its children up to MOST_RESULTS and one."""
    own = (_task.c.flow_run_id == child, _task.c.task_slug == slug)
    rows = _results(session, _RESULT.where(*own, _task.c.map_index == map_index))
    if not rows or map_index >= 0 or rows[0].state_name != "Mapped":
        return rows, False
    mapped = _RESULT.where(*own, _task.c.map_index >= 0).order_by(_task.c.map_index)
    return _results(session, mapped.limit(MOST_RESULTS + 1)), True


Key = tuple[UUID, str, int]
"""A task run: its run, its task's slug, and its map index."""


def of_tasks(session: Session, tasks: Collection[Key]) -> dict[Key, UUID]:
    """The runs that these task runs have started."""
    if not tasks:
        return {}
    own = (
        _run.c.parent_flow_run_id.in_(sorted({run for run, _, _ in tasks})),
        _run.c.parent_task_slug.in_(sorted({slug for _, slug, _ in tasks})),
        _run.c.parent_map_index.in_(sorted({index for _, _, index in tasks})),
    )
    columns = (_run.c.id, _run.c.parent_flow_run_id, _run.c.parent_task_slug, _run.c.parent_map_index)
    rows = readable.every(session, select(*columns).where(*own))
    return {(run, slug, index): child for child, run, slug, index in rows}


def names(session: Session, runs: Collection[UUID]) -> dict[UUID, str]:
    """The names of runs by their ids."""
    if not runs:
        return {}
    return dict(readable.every(session, select(_run.c.id, _run.c.name).where(_run.c.id.in_(sorted(runs)))))


def counts(session: Session, parents: Collection[UUID]) -> dict[UUID, dict[str, int]]:
    """How many runs tasks of each of these have started, by type of state."""
    number = func.count().label("number")
    own = (_run.c.parent_flow_run_id.in_(sorted(parents)),)
    columns = (_run.c.parent_flow_run_id, _run.c.state_type)
    numbers: dict[UUID, dict[str, int]] = {}
    for parent, type, count in readable.every(session, select(*columns, number).where(*own).group_by(*columns)):
        numbers.setdefault(parent, {})[type] = count
    return numbers


def _results(session: Session, statement: Select[Any]) -> list[GivenResult]:
    return cast(list[GivenResult], list(readable.every(session, statement)))


def awaited(session: Session, parent: UUID) -> Sequence[UUID]:
    """The children that have not ended and that a task waits for."""
    open = (_run.c.parent_flow_run_id == parent, _run.c.parent_waits, _run.c.end_time.is_(None))
    return readable.scalars(session, select(_run.c.id).where(*open).order_by(_run.c.id))


def any_live(session: Session, parent: UUID) -> bool:
    """Whether a child of the run is in progress."""
    statement = select(_run.c.id).where(_run.c.parent_flow_run_id == parent, LIVE_NOW)
    return session.execute(statement.limit(1)).first() is not None
