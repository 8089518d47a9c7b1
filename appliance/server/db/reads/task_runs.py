"""Reads of task runs and their histories."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast, get_args
from uuid import UUID

import msgspec
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    null,
    or_,
    select,
    text,
    tuple_,
    union_all,
)
from sqlalchemy.orm import Session

from appliance.protocol.states import StateType
from appliance.protocol.task_runs import TaskRunSort
from appliance.server.db.prepared import Prepared
from appliance.server.db.reads import readable
from appliance.server.db.reads.among import OfMany
from appliance.server.db.reads.pages import RowPage, encode, read, text_key, unusable
from appliance.server.db.rows.task_runs import (
    EarlierTaskRun,
    EndedTaskRun,
    FailedTaskRun,
    PausedTaskRun,
    StoredTaskRun,
    TaskRunResult,
    TaskRunRow,
    TaskStateRow,
    TimedTaskRun,
)
from appliance.server.db.tables import metadata
from appliance.server.db.tables.columns import hex_encode
from appliance.server.domain.sanitize import MAX_INDEX
from appliance.server.errors import Invalid

_task = metadata.tables["task_run"]
_state = metadata.tables["task_run_state"]
_failed_on_its_own = and_(
    _task.c.state_type == "FAILED", _task.c.state_name != "TriggerFailed", _task.c.state_name != "Crashed"
)
_CHUNK = 1_000
"""Rows that are read at once where texts may be long."""
_ROW_BYTES = 300
"""What a task run takes in an answer besides its texts."""
_BADNESS = case(
    (and_(_task.c.state_type == "FAILED", _task.c.state_name != "TriggerFailed"), 0),
    (_task.c.state_name.in_(("Retrying", "AwaitingRetry")), 1),
    (_task.c.state_type == "RUNNING", 2),
    (_task.c.state_type == "PAUSED", 3),
    (_task.c.state_type.in_(("SCHEDULED", "PENDING")), 4),
    (_task.c.state_type == "FAILED", 5),
    (and_(_task.c.state_type == "SUCCESS", _task.c.state_name != "Skipped"), 7),
    else_=6,
)
"""What a person looks at first: failures, what is under way, what waits, what did not run, and at last what went well."""
MOST_SKIPPED = 1_000_000
_BOTH: tuple[Any, ...] = (func.count(), func.count().filter(_task.c.map_index < 0))
_NUMBERS: tuple[Any, ...] = (
    *_BOTH,
    func.count().filter(_failed_on_its_own),
    func.count().filter(_task.c.state_name == "TriggerFailed"),
)
_OTHERS_OF_ONE = (
    select(_task.c.state_type, *_NUMBERS)
    .where(_task.c.flow_run_id == bindparam("run"), _task.c.state_type != "SUCCESS")
    .group_by(_task.c.state_type)
)
_ALL_OF_ONE = select(null(), *_BOTH, literal_column("0"), literal_column("0")).where(
    _task.c.flow_run_id == bindparam("run")
)
_NUMBERS_OF_ONE = Prepared(union_all(_OTHERS_OF_ONE, _ALL_OF_ONE))
"""One statement, since on Postgres each sees a snapshot of its own."""
_COUNTS = OfMany(
    lambda among: (
        select(_task.c.flow_run_id, _task.c.state_type, *_NUMBERS)
        .where(among(_task.c.flow_run_id))
        .group_by(_task.c.flow_run_id, _task.c.state_type)
    )
)
_PLACE = func.row_number().over(partition_by=_task.c.flow_run_id, order_by=(_task.c.state_at, _task.c.id))
_FIRST_FAILURES = OfMany(
    lambda among: _first(
        select(_task.c.id, _PLACE.label("place")).where(among(_task.c.flow_run_id), _failed_on_its_own).subquery()
    )
)
_HISTORIES = OfMany(
    lambda among: (
        select(_state.c.task_run_id, _state.c.version, _state.c.type, _state.c.name, _state.c.at)
        .where(among(_state.c.task_run_id))
        .order_by(_state.c.task_run_id, _state.c.version)
    )
)
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
    "sqlite": Prepared(_STORED.where(text("task_run.id in (select value from json_each(:ids))"))),
    "postgresql": Prepared(_STORED.where(text("task_run.id = any(:ids)"))),
}
"""One parameter, however many ids there are: an IN list would be rendered again for each report."""


@dataclass
class Recorded:
    """How many task runs a run has of each state type, how many that aren't mapped children, how many failed on their own, and how many did
    not run because of that."""

    by_type: dict[str, int] = field(default_factory=dict)
    tasks: int = 0
    failed: int = 0
    not_run: int = 0


@dataclass(frozen=True)
class TaskFilter:
    """Which task runs of a run are listed. `states` are types or names; `children` leaves out what isn't a child of a mapped task."""

    states: tuple[str, ...] = ()
    task_slug: str | None = None
    map_index: int | None = None
    children: bool = False

    def chosen(self, flow_run_id: UUID) -> Select[Any]:
        query = select(_task).where(_task.c.flow_run_id == flow_run_id)
        if self.states:
            query = query.where(or_(_task.c.state_type.in_(self.states), _task.c.state_name.in_(self.states)))
        if self.task_slug is not None:
            query = query.where(_task.c.task_slug == self.task_slug)
        if self.map_index is not None:
            query = query.where(_task.c.map_index == self.map_index)
        return query.where(_task.c.map_index >= 0) if self.children else query


def listed(
    session: Session,
    flow_run_id: UUID,
    limit: int,
    criteria: TaskFilter,
    after: str | None,
    offset: int | None,
    sort: str,
) -> RowPage[TaskRunRow]:
    """A run's task runs: after a cursor, in the order of the unique key, which is by task, then by map index; or from a place in one of the
    TASK_RUN_SORTS on. Raises Invalid."""
    if sort not in get_args(TaskRunSort):
        raise Invalid(f"Task runs can't be sorted by {sort[:40]!r}; sort by {' or '.join(get_args(TaskRunSort))}.")
    if after is not None and (offset is not None or sort != "index"):
        raise Invalid("A cursor continues a list by index; use an offset for other lists, and none with a cursor.")
    if not 0 <= (offset or 0) <= MOST_SKIPPED:
        raise Invalid(f"An offset is between 0 and {MOST_SKIPPED:,}, not {offset}.")
    if criteria.map_index is not None and not -1 <= criteria.map_index <= MAX_INDEX:
        raise Invalid(f"A map index is between -1, for a task that is not mapped, and {MAX_INDEX:,}.")
    query = criteria.chosen(flow_run_id)
    if after is not None:
        query = query.where(_comes_after(after))
    order = (_BADNESS,) if sort == "worst_first" else ()
    query = query.order_by(*order, _task.c.task_slug, _task.c.map_index)
    if offset:
        query = query.offset(offset)
    if order:
        return RowPage(readable.rows(session, query, limit))
    return read(session, query, limit, _key_of)


def place(session: Session, flow_run_id: UUID, task_slug: str, map_index: int, sort: str) -> int | None:
    """How many children of a task come before one of them in a list of all; None if there is no such child."""
    children = TaskFilter(task_slug=task_slug, children=True).chosen(flow_run_id).with_only_columns
    own = readable.scalars(session, children(_BADNESS).where(_task.c.map_index == map_index))
    if not own:
        return None
    is_before = _task.c.map_index < map_index
    if sort == "worst_first":
        is_before = or_(own[0] > _BADNESS, and_(own[0] == _BADNESS, is_before))
    [number] = readable.scalars(session, children(func.count()).where(is_before))
    return int(number)


def counts(session: Session, flow_run_ids: Collection[UUID]) -> dict[UUID, Recorded]:
    """The recorded task runs of each run; runs without any are left out."""
    if len(flow_run_ids) == 1:
        [only] = flow_run_ids
        rows = [(only, *row) for row in _numbers_of(session, only)]
    else:
        rows = _COUNTS.every(session, flow_run_ids)
    records: dict[UUID, Recorded] = {}
    for flow_run_id, state_type, number, tasks, failed, not_run in rows:
        recorded = records.get(flow_run_id)
        if recorded is None:
            recorded = records[flow_run_id] = Recorded()
        recorded.by_type[state_type] = number
        recorded.tasks += tasks
        recorded.failed += failed
        recorded.not_run += not_run
    return records


def _numbers_of(session: Session, flow_run_id: UUID) -> list[tuple[Any, ...]]:
    """The numbers of one run, which may have 100,000 tasks. SQLite sorts what it groups, so that only those are grouped that are not successful,
    and all are counted in the index."""
    rows = readable.every(session, _NUMBERS_OF_ONE, {"run": flow_run_id})
    others = [row for row in rows if row[0] is not None]
    [(_, every, tasks, *_)] = [row for row in rows if row[0] is None]
    number, top = every - sum(row[1] for row in others), tasks - sum(row[2] for row in others)
    return [*others, ("SUCCESS", number, top, 0, 0)] if number else others


def _first(ranked: FromClause) -> Select[Any]:
    columns = [_task.c[name] for name in FailedTaskRun.__annotations__]
    return select(*columns).join(ranked, ranked.c.id == _task.c.id).where(ranked.c.place == 1)


def first_failures(session: Session, flow_run_ids: Collection[UUID]) -> dict[UUID, FailedTaskRun]:
    """The task run of each run that failed first on its own: one that a trigger or a crash ended is never the cause."""
    rows = cast(Iterable[FailedTaskRun], _FIRST_FAILURES.every(session, flow_run_ids))
    return {row.flow_run_id: row for row in rows}


def histories(session: Session, task_run_ids: Collection[UUID]) -> dict[UUID, list[TaskStateRow]]:
    """The states of each task run, oldest first."""
    states: dict[UUID, list[TaskStateRow]] = defaultdict(list)
    for row in cast(Iterable[TaskStateRow], _HISTORIES.every(session, task_run_ids)):
        states[row.task_run_id].append(row)
    return states


def _comes_after(cursor: str) -> ColumnElement[bool]:
    index, slug = _key(cursor)
    return tuple_(_task.c.task_slug, _task.c.map_index) > tuple_(slug, index)


def _key_of(row: TaskRunRow | EarlierTaskRun) -> tuple[int, str]:
    return row.map_index, row.task_slug


def _key(cursor: str) -> tuple[int, str]:
    index, slug = text_key(cursor, 2)
    try:
        return int(index), slug
    except ValueError as error:
        raise unusable() from error


def by_ids(session: Session, ids: Sequence[UUID]) -> dict[UUID, StoredTaskRun]:
    """The task runs with these ids that exist, by id."""
    dialect = session.connection().dialect.name
    listed = hex_encode(ids).decode() if dialect == "sqlite" else list(ids)
    rows = cast(Sequence[StoredTaskRun], _BY_IDS[dialect].all(session, {"ids": listed}))
    return {row.id: row for row in rows}


def ended(session: Session, flow_run_id: UUID) -> dict[tuple[str, int], EndedTaskRun]:
    """All task runs of a flow run that no attempt works on, by slug and map index."""
    columns = [_task.c[name] for name in EndedTaskRun.__annotations__]
    rows = cast(
        list[EndedTaskRun], readable.complete(session, select(*columns).where(_task.c.flow_run_id == flow_run_id))
    )
    return {(row.task_slug, row.map_index): row for row in rows}


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


def of_flow_run(session: Session, flow_run_id: UUID, most_bytes: int | None, after: str) -> RowPage[EarlierTaskRun]:
    """The task runs of a flow run, for a restart, after a cursor, which is empty at the beginning. A page ends with the one that makes its texts
    longer than `most_bytes`."""
    query = select(
        _task.c.task_slug,
        _task.c.map_index,
        _task.c.state_type,
        _task.c.state_name,
        _task.c.state_message,
        _task.c.state_data,
        _task.c.result_location,
        _task.c.run_count,
    ).where(_task.c.flow_run_id == flow_run_id)
    query = query.order_by(_task.c.task_slug, _task.c.map_index)
    if most_bytes is None:
        return RowPage(readable.complete(session, query))
    rows: list[EarlierTaskRun] = []
    while chunk := readable.complete(session, (query.where(_comes_after(after)) if after else query).limit(_CHUNK)):
        for row in chunk:
            rows.append(row)
            most_bytes -= _ROW_BYTES + len(row.state_message) + len(msgspec.json.encode(row.state_data))
            if most_bytes < 0:
                return RowPage(rows, encode(*_key_of(row)))
        after = encode(*_key_of(chunk[-1]))
    return RowPage(rows)
