"""Reads of task runs and their histories."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

import msgspec
from sqlalchemy import and_, func, literal, or_, select, text
from sqlalchemy.orm import Session

from appliance.protocol.states import StateType
from appliance.server.db.reads import readable
from appliance.server.db.reads.pages import RowPage, read, text_key, unusable
from appliance.server.db.rows.task_runs import (
    EarlierTaskRun,
    PausedTaskRun,
    StoredTaskRun,
    TaskRunResult,
    TaskRunRow,
    TaskStateRow,
    TimedTaskRun,
)
from appliance.server.db.tables import metadata

_task = metadata.tables["task_run"]
_state = metadata.tables["task_run_state"]
_failed_on_its_own = and_(_task.c.state_type == "FAILED", _task.c.state_name.not_in(("TriggerFailed", "Crashed")))
_STORED = select(
    _task.c.id,
    _task.c.name,
    _task.c.state_type,
    _task.c.state_name,
    _task.c.version,
    _task.c.attempt,
    _task.c.run_count,
    _task.c.result_location,
    _task.c.start_time,
    _task.c.end_time,
)
_BY_IDS = {
    "sqlite": _STORED.where(text("task_run.id in (select value from json_each(:ids))")),
    "postgresql": _STORED.where(text("task_run.id = any(:ids)")),
}
"""One parameter, however many ids there are: an IN list would be rendered again for each report."""


@dataclass
class Recorded:
    """How many task runs a run has of each state type, and how many that aren't mapped children."""

    by_type: dict[str, int] = field(default_factory=dict)
    tasks: int = 0


def page(
    session: Session,
    flow_run_id: UUID,
    limit: int,
    after: str | None,
    states: tuple[str, ...] = (),
    task_slug: str | None = None,
) -> RowPage[TaskRunRow]:
    """A run's task runs, in the order of the unique key: by task, then by map index. `states` are types or names."""
    query = select(_task).where(_task.c.flow_run_id == flow_run_id)
    if states:
        query = query.where(or_(_task.c.state_type.in_(states), _task.c.state_name.in_(states)))
    if task_slug is not None:
        query = query.where(_task.c.task_slug == task_slug)
    if after is not None:
        index, slug = _key(after)
        query = query.where(or_(_task.c.task_slug > slug, and_(_task.c.task_slug == slug, _task.c.map_index > index)))
    query = query.order_by(_task.c.task_slug, _task.c.map_index)
    return read(session, query, limit, lambda row: (row.map_index, row.task_slug))


def counts(session: Session, flow_run_ids: Collection[UUID]) -> dict[UUID, Recorded]:
    """The recorded task runs of each run; runs without any are left out."""
    numbers = (func.count(), func.count().filter(_task.c.map_index < 0))
    if len(flow_run_ids) == 1:  # grouping without the run halves the time for 100,000 tasks
        [only] = flow_run_ids
        query = select(literal(only), _task.c.state_type, *numbers).where(_task.c.flow_run_id == only)
        query = query.group_by(_task.c.state_type)
    else:
        query = select(_task.c.flow_run_id, _task.c.state_type, *numbers).where(_task.c.flow_run_id.in_(flow_run_ids))
        query = query.group_by(_task.c.flow_run_id, _task.c.state_type)
    records: dict[UUID, Recorded] = {}
    for flow_run_id, state_type, number, tasks in readable.every(session, query):
        recorded = records.setdefault(flow_run_id, Recorded())
        recorded.by_type[state_type] = number
        recorded.tasks += tasks
    return records


def first_failures(session: Session, flow_run_ids: Collection[UUID]) -> dict[UUID, TaskRunRow]:
    """The task run of each run that failed first on its own: one that a trigger or a crash ended is never the cause."""
    first = func.row_number().over(partition_by=_task.c.flow_run_id, order_by=(_task.c.state_at, _task.c.id))
    ranked = (
        select(_task.c.id, first.label("place"))
        .where(_task.c.flow_run_id.in_(flow_run_ids), _failed_on_its_own)
        .subquery()
    )
    query = select(_task).join(ranked, ranked.c.id == _task.c.id).where(ranked.c.place == 1)
    return {row.flow_run_id: row for row in cast(Iterable[TaskRunRow], readable.every(session, query))}


def count_failures(session: Session, flow_run_ids: Collection[UUID]) -> dict[UUID, tuple[int, int]]:
    """For each run: (how many task runs failed on their own, how many did not run because of that)."""
    own = func.count().filter(_failed_on_its_own)
    skipped = func.count().filter(_task.c.state_name == "TriggerFailed")
    query = (
        select(_task.c.flow_run_id, own, skipped)
        .where(_task.c.flow_run_id.in_(flow_run_ids), _task.c.state_type == "FAILED")
        .group_by(_task.c.flow_run_id)
    )
    return {run_id: (failed, skipped) for run_id, failed, skipped in readable.every(session, query)}


def histories(session: Session, task_run_ids: Collection[UUID]) -> dict[UUID, list[TaskStateRow]]:
    """The states of each task run, oldest first."""
    query = (
        select(_state.c.task_run_id, _state.c.version, _state.c.type, _state.c.name, _state.c.at)
        .where(_state.c.task_run_id.in_(task_run_ids))
        .order_by(_state.c.task_run_id, _state.c.version)
    )
    states: dict[UUID, list[TaskStateRow]] = defaultdict(list)
    for row in cast(Iterable[TaskStateRow], readable.every(session, query)):
        states[row.task_run_id].append(row)
    return states


def _key(cursor: str) -> tuple[int, str]:
    index, slug = text_key(cursor, 2)
    try:
        return int(index), slug
    except ValueError as error:
        raise unusable() from error


def by_ids(session: Session, ids: Sequence[UUID]) -> dict[UUID, StoredTaskRun]:
    """The task runs with these ids that exist, by id."""
    dialect = session.connection().dialect.name
    listed = msgspec.json.encode([id.hex for id in ids]).decode() if dialect == "sqlite" else list(ids)
    result = readable.complete(session, _BY_IDS[dialect], {"ids": listed})
    return {row.id: row for row in cast(Iterable[StoredTaskRun], result)}


def types_of(session: Session, flow_run_id: UUID) -> dict[tuple[str, int], tuple[UUID, StateType]]:
    """Each task run's id and the type of its state, by slug and map index."""
    statement = select(_task.c.task_slug, _task.c.map_index, _task.c.id, _task.c.state_type)
    rows = readable.complete(session, statement.where(_task.c.flow_run_id == flow_run_id))
    return {(row.task_slug, row.map_index): (row.id, row.state_type) for row in rows}


def paused(session: Session, flow_run_id: UUID, task_slug: str | None, map_index: int | None) -> list[PausedTaskRun]:
    """The task runs that wait for a person: all of the flow run, those of one task, or one mapped child."""
    statement = select(_task.c.id, _task.c.state_data).where(
        _task.c.flow_run_id == flow_run_id, _task.c.state_type == "PAUSED"
    )
    if task_slug is not None:
        statement = statement.where(_task.c.task_slug == task_slug)
    if map_index is not None:
        statement = statement.where(_task.c.map_index == map_index)
    return cast(list[PausedTaskRun], readable.every(session, statement))


def find(session: Session, flow_run_id: UUID, task_slug: str, map_index: int) -> TaskRunResult | None:
    """One task run: its id, state's data, result and end."""
    statement = select(_task.c.id, _task.c.state_data, _task.c.result_location, _task.c.end_time).where(
        _task.c.flow_run_id == flow_run_id, _task.c.task_slug == task_slug, _task.c.map_index == map_index
    )
    return cast(TaskRunResult | None, session.connection().execute(statement).one_or_none())


def with_times(session: Session, flow_run_id: UUID) -> list[TimedTaskRun]:
    """The task runs that wait for a time: for a retry, or the end of a pause."""
    statement = select(_task.c.id, _task.c.state_name, _task.c.state_data).where(
        _task.c.flow_run_id == flow_run_id, _task.c.state_type.in_(("SCHEDULED", "PAUSED"))
    )
    rows = cast(Iterable[TimedTaskRun], readable.every(session, statement))
    return [row for row in rows if (row.state_data or {}).get("start_time")]


def of_flow_run(session: Session, flow_run_id: UUID) -> list[EarlierTaskRun]:
    """All task runs of a flow run, for a restart."""
    statement = select(
        _task.c.task_slug,
        _task.c.map_index,
        _task.c.state_type,
        _task.c.state_name,
        _task.c.state_message,
        _task.c.state_data,
        _task.c.result_location,
        _task.c.run_count,
    ).where(_task.c.flow_run_id == flow_run_id)
    return cast(list[EarlierTaskRun], readable.complete(session, statement))
