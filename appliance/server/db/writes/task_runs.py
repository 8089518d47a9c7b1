"""Writing task runs and their histories in bulk. Every writer has locked the flow run, so versions can't collide."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, Unpack, cast
from uuid import UUID

from sqlalchemy import and_, bindparam, select, update
from sqlalchemy.orm import Session

from appliance.protocol.state_change import StateChange
from appliance.protocol.states import TERMINAL
from appliance.server.db.bulk import BulkInsert
from appliance.server.db.prepared import Prepared
from appliance.server.db.rows.task_runs import (
    ClearedColumns,
    NewTaskRun,
    NewTaskState,
    StoredTaskRun,
    TaskRunColumns,
    TaskRunUpdate,
)
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.states import TaskRunState
from appliance.server.db.tables.task_runs import TaskRun

_runs = table(TaskRun)
_states = table(TaskRunState)
_CHUNK = 500
_IS_OPEN = and_(*(_runs.c.state_type != type for type in sorted(TERMINAL)))
"""Not an IN list: SQLAlchemy would render it into the statement on every execution."""
_OPEN = Prepared(select(_runs.c.id, _runs.c.version).where(_runs.c.flow_run_id == bindparam("flow_run"), _IS_OPEN))
_insert = BulkInsert(_runs)
_UPDATE = Prepared(
    update(_runs)
    .where(_runs.c.id == bindparam("run"))
    .values({name: bindparam(f"new_{name}") for name in TaskRunColumns.__annotations__})
)
_insert_states = BulkInsert(_states)


def store(session: Session, new: list[NewTaskRun], changed: list[TaskRunUpdate], states: list[NewTaskState]) -> None:
    """Insert new task runs, update existing ones, and append to their histories."""
    connection = session.connection()
    _insert(connection, new)
    if changed:
        _UPDATE.change_each(session, changed)
    _insert_states(connection, states)


def columns_of(row: StoredTaskRun) -> TaskRunColumns:
    """A copy of the stored columns to change; the message, data and time of the state come with the next state."""
    return cast(TaskRunColumns, cast(Any, row)._asdict())


def update_of(id: UUID, run: TaskRunColumns) -> TaskRunUpdate:
    """The values with which `store` updates a stored task run."""
    return {
        "run": id,
        "new_name": run["name"],
        "new_state_type": run["state_type"],
        "new_state_name": run["state_name"],
        "new_state_message": run["state_message"],
        "new_state_data": run["state_data"],
        "new_state_at": run["state_at"],
        "new_version": run["version"],
        "new_attempt": run["attempt"],
        "new_run_count": run["run_count"],
        "new_result_location": run["result_location"],
        "new_start_time": run["start_time"],
        "new_end_time": run["end_time"],
    }


def close(session: Session, flow_run_id: UUID, attempt: int, end: StateChange) -> int:
    """Set every unfinished task run of the flow run to a terminal state; how many there were."""
    connection = session.connection()
    rows = _OPEN.all(session, {"flow_run": flow_run_id})
    if not rows:
        return 0
    open_ones = and_(_runs.c.flow_run_id == flow_run_id, _IS_OPEN)
    values = {**_columns(end), "version": _runs.c.version + 1, "attempt": attempt, "end_time": end.at}
    connection.execute(update(_runs).where(open_ones).values(values))
    _insert_states(connection, [_history(end, row.id, row.version + 1, attempt) for row in rows])
    return len(rows)


def move(session: Session, ids: Sequence[UUID], change: StateChange, **others: Unpack[ClearedColumns]) -> None:
    """Give task runs one and the same new state, and set other columns."""
    connection = session.connection()
    values = {**_columns(change), **others}
    rest = iter(ids)
    while chunk := list(islice(rest, _CHUNK)):
        chosen = _runs.c.id.in_(chunk)
        connection.execute(update(_runs).where(chosen).values(version=_runs.c.version + 1, **values))
        rows = connection.execute(select(_runs.c.id, _runs.c.version, _runs.c.attempt).where(chosen)).all()
        _insert_states(connection, [_history(change, row.id, row.version, row.attempt) for row in rows])


def _columns(change: StateChange) -> dict[str, object]:
    return {
        "state_type": change.type,
        "state_name": change.name,
        "state_message": change.message,
        "state_data": change.data,
        "state_at": change.at,
    }


def _history(change: StateChange, task_run_id: UUID, version: int, attempt: int) -> NewTaskState:
    return {
        "task_run_id": task_run_id,
        "version": version,
        "attempt": attempt,
        "type": change.type,
        "name": change.name,
        "message": change.message,
        "data": change.data,
        "at": change.at,
    }
