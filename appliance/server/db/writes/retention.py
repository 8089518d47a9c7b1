"""Deleting what is old, a bounded number of rows at a time, each found by an index."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.orm import Session

from appliance.server.db.reads.disk import unused_pages
from appliance.server.db.tables import metadata
from appliance.server.domain.retention import ENDED

_run = metadata.tables["flow_run"]
_task = metadata.tables["task_run"]
_task_state = metadata.tables["task_run_state"]
_log = metadata.tables["log"]
_rollup = metadata.tables["run_rollup"]
_job = metadata.tables["job"]
_session = metadata.tables["session"]
_token = metadata.tables["api_token"]
_CHUNK = 500
RUNS_AT_ONCE = 50


def numbered(
    session: Session, table: str, after: int, last: int, before: datetime | None, limit: int
) -> tuple[int, int]:
    """Delete up to `limit` rows of a table with growing ids, from behind `after` to `last`, that are older than `before`; the
    place to go on from and how many rows went."""
    rows = metadata.tables[table]
    place = select(rows.c.id).where(rows.c.id > after, rows.c.id <= last).order_by(rows.c.id).limit(limit)
    ids: Sequence[int] = session.connection().execute(place).scalars().all()
    if not ids:
        return last, 0
    chosen = and_(rows.c.id > after, rows.c.id <= ids[-1])
    if before is not None:
        chosen = and_(chosen, rows.c.at < before)
    return ids[-1], _removed(session, delete(rows).where(chosen))


def ended_runs(session: Session, before: datetime, limit: int = RUNS_AT_ONCE) -> list[UUID]:
    """The ids of the runs that ended before a time, those that were due first at the front; held against changes by others until
    the transaction ends."""
    found: list[Any] = []
    for type in ENDED:
        statement = (
            select(_run.c.scheduled_time, _run.c.id)
            .where(_run.c.state_type == type, _run.c.scheduled_time < before, _run.c.state_at < before)
            .order_by(_run.c.scheduled_time)
            .limit(limit)
        )
        found += session.connection().execute(statement.with_for_update(skip_locked=True))
    return [row.id for row in sorted(found, key=lambda row: row.scheduled_time)[:limit]]


def still_ended(session: Session, flow_run_id: UUID) -> bool:
    """Whether the run is there and at its end; held like that until the transaction ends."""
    statement = select(_run.c.id).where(_run.c.id == flow_run_id, _run.c.state_type.in_(ENDED)).with_for_update()
    return session.connection().execute(statement).one_or_none() is not None


def run(session: Session, flow_run_id: UUID, limit: int) -> tuple[int, bool]:
    """Delete a run with all that belongs to it, about `limit` rows at the most; how many rows went, and whether it is gone.

    What doesn't fit stays for the next time: the lines of logs go first, then the task runs, the run itself at last.
    """
    connection = session.connection()
    lines = select(_log.c.id).where(_log.c.flow_run_id == flow_run_id).limit(limit)
    rows = _removed(session, delete(_log).where(_log.c.id.in_(lines)))
    while rows < limit:
        wanted = select(_task.c.id).where(_task.c.flow_run_id == flow_run_id).limit(min(_CHUNK, limit - rows))
        tasks = connection.execute(wanted).scalars().all()
        if not tasks:
            return rows + _removed(session, delete(_run).where(_run.c.id == flow_run_id)), True
        rows += _removed(session, delete(_task_state).where(_task_state.c.task_run_id.in_(tasks)))
        rows += _removed(session, delete(_task).where(_task.c.id.in_(tasks)))
    return rows, False


def jobs(session: Session, before: datetime, limit: int) -> int:
    """Delete bulk jobs that ended before a time."""
    over = and_(_job.c.state.in_(("done", "cancelled", "failed")), _job.c.updated < before)
    return _removed(session, delete(_job).where(_job.c.id.in_(select(_job.c.id).where(over).limit(limit))))


def rollups(session: Session, before: datetime, limit: int) -> int:
    """Delete the sums of hours before a time."""
    hours = select(_rollup.c.hour).where(_rollup.c.hour < before).order_by(_rollup.c.hour).limit(limit)
    last = session.connection().execute(hours).scalars().all()
    return _removed(session, delete(_rollup).where(_rollup.c.hour <= last[-1])) if last else 0


def sessions(session: Session, now: datetime, limit: int) -> int:
    """Delete browser sessions that are over."""
    over = select(_session.c.id).where(_session.c.expires_at <= now).limit(limit)
    return _removed(session, delete(_session).where(_session.c.id.in_(over)))


def tokens(session: Session, before: datetime, limit: int) -> int:
    """Delete tokens that expired or were revoked before a time."""
    dead = or_(_token.c.expires_at < before, _token.c.revoked_at < before)
    return _removed(session, delete(_token).where(_token.c.id.in_(select(_token.c.id).where(dead).limit(limit))))


def give_back_pages(session: Session, most: int) -> int:
    """Return up to `most` unused pages of SQLite's file to the disk; how many. None in a file that was made without this."""
    connection = session.connection()
    before = unused_pages(session)
    for _ in range(min(most, before)):
        connection.exec_driver_sql(
            "PRAGMA incremental_vacuum(1)"
        )  # the driver steps a pragma once, whatever its number
    return before - unused_pages(session) if before else 0


def _removed(session: Session, statement: Any) -> int:
    return int(session.connection().execute(statement).rowcount)
