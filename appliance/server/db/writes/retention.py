"""Deleting old rows, a bounded number at a time, using indexes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Delete, Row, and_, delete, or_, select
from sqlalchemy.orm import Session

from appliance.server.db.conditions import LIVE_NOW
from appliance.server.db.reads import readable
from appliance.server.db.reads.disk import unused_pages
from appliance.server.db.tables import metadata
from appliance.server.db.writes import artifacts, kept_results, log_search, run_names, usage
from appliance.server.domain.retention import ENDED

_run = metadata.tables["flow_run"]
_task = metadata.tables["task_run"]
_task_state = metadata.tables["task_run_state"]
_log = metadata.tables["log"]
_rollup = metadata.tables["run_rollup"]
_job = metadata.tables["job"]
_session = metadata.tables["session"]
_key = metadata.tables["request_key"]
_removed_run = metadata.tables["removed_run"]
_token = metadata.tables["api_token"]
_agent = metadata.tables["agent"]
_known = metadata.tables["known_failure"]
_skip = metadata.tables["schedule_skip"]
_CHUNK = 500
RUNS_AT_ONCE = 50


def numbered(
    session: Session, table: str, after: int, last: int, before: datetime | None, limit: int
) -> tuple[int, int]:
    """Delete up to `limit` rows of a table with growing ids, after `after` and up to `last`, that are older than `before`. Return the
    id to continue from and how many rows went."""
    rows = metadata.tables[table]
    place = select(rows.c.id).where(rows.c.id > after, rows.c.id <= last).order_by(rows.c.id).limit(limit)
    ids: Sequence[int] = readable.scalars(session, place)
    if not ids:
        return last, 0
    chosen = and_(rows.c.id > after, rows.c.id <= ids[-1])
    if before is not None:
        chosen = and_(chosen, rows.c.at < before)
        if table == _skip.name:  # a time that is still to come stays skipped
            chosen = and_(chosen, rows.c.last < before)
    if table == _log.name:
        usage.forget_lines(session, chosen)
        log_search.forget(session, chosen)
    return ids[-1], _removed(session, delete(rows).where(chosen))


def lock_ended_runs(session: Session, before: datetime, limit: int = RUNS_AT_ONCE) -> list[UUID]:
    """The ids of runs that ended before a time, in the order in which they were due; locked until the transaction ends."""
    rows: list[Row[Any]] = []
    for type in ENDED:
        statement = (
            select(_run.c.scheduled_time, _run.c.id)
            .where(_run.c.state_type == type, _run.c.scheduled_time < before, _run.c.state_at < before)
            .order_by(_run.c.scheduled_time)
        )
        rows += readable.rows(session, statement.with_for_update(skip_locked=True), limit)
    return [row.id for row in sorted(rows, key=lambda row: row.scheduled_time)[:limit]]


def lock_if_ended(session: Session, flow_run_id: UUID) -> bool:
    """Lock the run until the transaction ends if it has ended; whether it has."""
    statement = select(_run.c.id).where(_run.c.id == flow_run_id, _run.c.state_type.in_(ENDED)).with_for_update()
    return session.connection().execute(statement).one_or_none() is not None


def run(session: Session, flow_run_id: UUID, limit: int, now: datetime) -> tuple[int, bool]:
    """Delete a run with everything that belongs to it, about `limit` rows at most. Return how many rows went, and whether the run is gone.

    The rest is left for the next call: log lines go first, then results, artifacts, task runs, then the run itself.
    """
    connection = session.connection()
    oldest_lines = select(_log.c.id).where(_log.c.flow_run_id == flow_run_id).order_by(_log.c.id).limit(limit)
    lines = _log.c.id.in_(oldest_lines)
    log_search.forget(session, lines)
    rows = _removed(session, delete(_log).where(lines))
    while rows < limit and (results := kept_results.remove_some_of_run(session, flow_run_id, limit - rows)):
        rows += results
    while rows < limit and (some := artifacts.remove_some_of_run(session, flow_run_id, limit - rows, now)):
        rows += some
    while rows < limit:
        oldest = select(_task.c.id).where(_task.c.flow_run_id == flow_run_id).limit(min(_CHUNK, limit - rows))
        tasks = connection.execute(oldest).scalars().all()
        if not tasks:
            run_names.forget(session, _run.c.id == flow_run_id)
            return rows + usage.delete_runs(session, _run.c.id == flow_run_id, now), True
        rows += _removed(session, delete(_task_state).where(_task_state.c.task_run_id.in_(tasks)))
        rows += _removed(session, delete(_task).where(_task.c.id.in_(tasks)))
    return rows, False


def jobs(session: Session, before: datetime, limit: int) -> int:
    """Delete jobs that ended before a time."""
    over = and_(_job.c.state.in_(("done", "cancelled", "failed")), _job.c.updated < before)
    return _removed(session, delete(_job).where(_job.c.id.in_(select(_job.c.id).where(over).limit(limit))))


def rollups(session: Session, before: datetime, limit: int) -> int:
    """Delete the sums of hours before a time."""
    hours = select(_rollup.c.hour).where(_rollup.c.hour < before).order_by(_rollup.c.hour).limit(limit)
    last = readable.scalars(session, hours)
    return _removed(session, delete(_rollup).where(_rollup.c.hour <= last[-1])) if last else 0


def sessions(session: Session, now: datetime, limit: int) -> int:
    """Delete expired browser sessions."""
    over = select(_session.c.id).where(_session.c.expires_at <= now).limit(limit)
    return _removed(session, delete(_session).where(_session.c.id.in_(over)))


def request_keys(session: Session, before: datetime, limit: int) -> int:
    """Delete idempotency keys that were used before a time."""
    old = select(_key.c.id).where(_key.c.at < before).limit(limit)
    return _removed(session, delete(_key).where(_key.c.id.in_(old)))


def removed_runs(session: Session, before: datetime, limit: int) -> int:
    """Forget runs that were deleted before a time."""
    old = select(_removed_run.c.id).where(_removed_run.c.at < before).limit(limit)
    return _removed(session, delete(_removed_run).where(_removed_run.c.id.in_(old)))


def known_failures(session: Session, before: datetime, limit: int) -> int:
    """Forget known failures that were resolved before a time."""
    old = select(_known.c.id).where(_known.c.resolved_at < before).limit(limit)
    return _removed(session, delete(_known).where(_known.c.id.in_(old)))


def tokens(session: Session, before: datetime, limit: int) -> int:
    """Delete tokens that expired or were revoked before a time."""
    dead = or_(_token.c.expires_at < before, _token.c.revoked_at < before)
    return _removed(session, delete(_token).where(_token.c.id.in_(select(_token.c.id).where(dead).limit(limit))))


def agents(session: Session, before: datetime, limit: int) -> int:
    """Delete agents that were last heard from before a time and hold no live run. Runs that they carried out stay, without an agent."""
    holds = select(_run.c.id).where(_run.c.agent_id == _agent.c.id, LIVE_NOW).exists()
    gone = select(_agent.c.id).where(_agent.c.last_seen < before, ~holds).limit(limit)
    return _removed(session, delete(_agent).where(_agent.c.id.in_(gone)))


def give_back_pages(session: Session, most: int) -> int:
    """Return up to `most` unused pages of SQLite's file to the disk; how many. 0 for a file created without incremental vacuum."""
    connection = session.connection()
    before = unused_pages(session)
    for _ in range(min(most, before)):
        connection.exec_driver_sql(
            "PRAGMA incremental_vacuum(1)"
        )  # the driver steps a pragma once, whatever its number
    return before - unused_pages(session) if before else 0


def _removed(session: Session, statement: Delete) -> int:
    return int(session.connection().execute(statement).rowcount)
