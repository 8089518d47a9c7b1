"""Writing the states of flow runs: a run's columns by compare-and-set, always together with the row of its history."""

from __future__ import annotations

from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import ClauseElement, bindparam, exists, func, select, update
from sqlalchemy.orm import Session

from appliance.protocol.state_change import StateChange
from appliance.server.db.bulk import BulkInsert
from appliance.server.db.prepared import Prepared
from appliance.server.db.rows.flow_runs import FlowRunColumns, LockedRun
from appliance.server.db.rows.states import NewState
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.tables.known_failures import KnownFailure
from appliance.server.db.tables.states import FlowRunState
from appliance.server.domain.quotas import Stored

runs = table(FlowRun)
_history = table(FlowRunState)
_known = table(KnownFailure)
_insert = BulkInsert(_history)
FACTS = (
    runs.c.id,
    runs.c.flow_id,
    runs.c.flow_version_id,
    runs.c.name,
    runs.c.state_type,
    runs.c.state_name,
    runs.c.state_at,
    runs.c.version,
    runs.c.attempt,
    runs.c.agent_id,
    runs.c.lease_expires_at,
    runs.c.last_seq,
    runs.c.report_bytes,
    runs.c.cancel_requested,
    runs.c.start_time,
    runs.c.end_time,
    runs.c.times_resurrected,
    runs.c.scheduled_time,
    exists().where(_known.c.flow_id == runs.c.flow_id, _known.c.resolved_at.is_(None)).label("has_known_failures"),
)
COUNTED = (runs.c.stored_rows, runs.c.stored_bytes, runs.c.log_rows, runs.c.log_bytes)
_LOCKED = Prepared(select(*FACTS).where(runs.c.id == bindparam("run")).with_for_update(key_share=True))
_CHANGE = (
    update(runs)
    .where(runs.c.id == bindparam("run"), runs.c.version == bindparam("expected"))
    .values({column: column + bindparam(f"more_{column.name}") for column in COUNTED})
)
_CHANGE_PLAINLY = Prepared(_CHANGE)
_MORE = ("more_stored_rows", "more_stored_bytes", "more_log_rows", "more_log_bytes")


def lock(session: Session, flow_run_id: UUID) -> LockedRun | None:
    """Lock a run until the transaction ends; what the rules need to know of it, or None when there is no such run."""
    return cast(LockedRun | None, _LOCKED.one_or_none(session, {"run": flow_run_id}))


def change(session: Session, flow_run_id: UUID, version: int, values: FlowRunColumns, stored: Stored) -> bool:
    """Change the run if it still has this version, and add to what it has stored; True if it did."""
    computed = {name: value for name, value in values.items() if isinstance(value, ClauseElement)}
    plain = {name: value for name, value in values.items() if name not in computed}
    parameters = plain | dict(zip(_MORE, stored, strict=True)) | {"run": flow_run_id, "expected": version}
    if not computed:
        return _CHANGE_PLAINLY.change(session, parameters) == 1
    result = session.connection().execute(_CHANGE.values(**computed), parameters)
    return bool(result.rowcount == 1)


def add(session: Session, rows: list[NewState]) -> None:
    """Append to flow runs' histories."""
    if rows:
        _insert(session.connection(), rows)


def row(flow_run_id: UUID, version: int, attempt: int, change: StateChange, actor: str) -> NewState:
    """One row of a flow run's history."""
    return {
        "flow_run_id": flow_run_id,
        "version": version,
        "attempt": attempt,
        "type": change.type,
        "name": change.name,
        "message": change.message,
        "data": change.data,
        "at": change.at,
        "actor": actor,
    }


def due(at: datetime) -> FlowRunColumns:
    """The columns of a run that is to start or resume at another time. Its first due time is kept, since its code may use it."""
    return {"scheduled_time": at, "due_at": func.coalesce(runs.c.due_at, runs.c.scheduled_time)}


def columns(change: StateChange, version: int) -> FlowRunColumns:
    """The columns of the run that repeat its newest history row."""
    return {
        "state_type": change.type,
        "state_name": change.name,
        "state_message": change.message,
        "state_data": change.data,
        "state_at": change.at,
        "version": version,
    }
