"""Writing how much runs have stored, and taking off projects what is deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, LargeBinary, bindparam, case, cast, delete, func, select, update
from sqlalchemy.orm import Session

from appliance.server.db import usage
from appliance.server.db.reads.usage import projects_of
from appliance.server.db.tables import metadata
from appliance.server.db.writes import removed_runs
from appliance.server.domain.quotas import LINE

_run = metadata.tables["flow_run"]
_log = metadata.tables["log"]


_FORGET_LINES = (
    update(_run)
    .where(_run.c.id == bindparam("run"))
    .values(log_rows=_run.c.log_rows - bindparam("rows"), log_bytes=_run.c.log_bytes - bindparam("bytes"))
)
_ADD_TO_RUN = (
    update(_run)
    .where(_run.c.id == bindparam("run"))
    .values(stored_rows=_run.c.stored_rows + bindparam("rows"), stored_bytes=_run.c.stored_bytes + bindparam("bytes"))
)
_ADD_LINES = (
    update(_run)
    .where(_run.c.id == bindparam("run"))
    .values(log_rows=_run.c.log_rows + bindparam("rows"), log_bytes=_run.c.log_bytes + bindparam("bytes"))
    .returning(_run.c.flow_id)
)
_IF_BEGUN = case((_run.c.attempt > 0, _run.c.id)).label("id")
_OF_RUN = (
    _run.c.flow_id,
    (_run.c.stored_rows + _run.c.log_rows).label("rows"),
    (_run.c.stored_bytes + _run.c.log_bytes).label("bytes"),
)


def add_to_run(session: Session, flow_run_id: UUID, rows: int, bytes: int) -> None:
    """Add to what a locked run has stored, besides its log."""
    session.connection().execute(_ADD_TO_RUN, {"run": flow_run_id, "rows": rows, "bytes": bytes})


def add_lines(session: Session, flow_run_id: UUID, rows: int, bytes: int) -> UUID | None:
    """Add to what the log of a run has stored; the run's flow, None if there is no such run."""
    values = {"run": flow_run_id, "rows": rows, "bytes": bytes}
    flow_id: UUID | None = session.connection().execute(_ADD_LINES, values).scalar_one_or_none()
    return flow_id


def delete_runs(session: Session, chosen: ColumnElement[bool], now: datetime) -> int:
    """Delete the runs for which this condition holds, and take what they have stored off their projects; how many they were. Those that an
    agent was ever given may have kept results, and are noted for it."""
    gone = session.connection().execute(delete(_run).where(chosen).returning(_IF_BEGUN, *_OF_RUN)).all()
    removed_runs.add(session, (row.id for row in gone if row.id is not None), now)
    take_off(session, ((row.flow_id, row.rows, row.bytes) for row in gone))
    return len(gone)


def forget_lines(session: Session, lines: ColumnElement[bool]) -> None:
    """Take the log lines for which this condition holds off their runs and projects, before they are deleted."""
    connection = session.connection()
    is_sqlite = connection.dialect.name == "sqlite"
    size = func.length(cast(_log.c.message, LargeBinary)) if is_sqlite else func.octet_length(_log.c.message)
    query = (
        select(_log.c.flow_run_id, _run.c.flow_id, func.count().label("rows"), func.sum(size + LINE).label("bytes"))
        .join(_run, _run.c.id == _log.c.flow_run_id)
        .where(lines, _run.c.log_rows > 0)
        .group_by(_log.c.flow_run_id, _run.c.flow_id)
        .order_by(_log.c.flow_run_id)
    )
    of_runs = connection.execute(query).all()
    if not of_runs:
        return
    changes = [{"run": row.flow_run_id, "rows": row.rows, "bytes": int(row.bytes)} for row in of_runs]
    connection.execute(_FORGET_LINES, changes)
    take_off(session, ((row.flow_id, row.rows, int(row.bytes)) for row in of_runs))


def take_off(session: Session, flows: Iterable[tuple[UUID, int, int]]) -> None:
    """Take rows and bytes of flows off their projects."""
    rows, sizes = Counter[UUID](), Counter[UUID]()
    for flow_id, number, size in flows:
        rows[flow_id] += number
        sizes[flow_id] += size
    projects = projects_of(session, sorted(rows))
    for flow_id in sorted(projects):
        if rows[flow_id] or sizes[flow_id]:
            usage.add(session, projects[flow_id], flow_id, -rows[flow_id], -sizes[flow_id])
