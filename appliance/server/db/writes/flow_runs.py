"""Writing flow runs: creating and deleting them, their tokens and their leases."""

from __future__ import annotations

from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session

from appliance.server.db.bulk import BulkInsert
from appliance.server.db.conditions import LIVE_NOW, ONLY_PLANNED
from appliance.server.db.prepared import Prepared
from appliance.server.db.reads import readable
from appliance.server.db.reads.run_health import waiting_since
from appliance.server.db.reads.schedules import planned_ahead
from appliance.server.db.rows.flow_runs import AttemptRun, AttemptToken, LateRun, NewFlowRun
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.tables.projects import Project
from appliance.server.db.upserts import upsert
from appliance.server.db.writes import artifacts, log_search, run_names, usage
from appliance.server.db.writes.states import FACTS
from appliance.server.domain.transitions import LATE

runs = table(FlowRun)
_flows = table(Flow)
_versions = table(FlowVersion)
_projects = table(Project)


_CHUNK = 1_000
_OF_ATTEMPT = Prepared(
    select(
        *FACTS,
        runs.c.parameters,
        runs.c.context,
        runs.c.due_at,
        runs.c.run_config,
        _versions.c.storage,
        _flows.c.name.label("flow"),
        _flows.c.paused,
        _projects.c.name.label("project"),
    )
    .join(_versions, _versions.c.id == runs.c.flow_version_id)
    .join(_flows, _flows.c.id == runs.c.flow_id)
    .join(_projects, _projects.c.id == _flows.c.project_id)
    .where(runs.c.id == bindparam("run"))
    .with_for_update(key_share=True, of=runs)
)
_SET_TOKEN = update(runs).where(runs.c.id == bindparam("run")).values(run_token_hash=bindparam("hash"))
_insert_unknown = BulkInsert(runs, sqlite.insert(runs).on_conflict_do_nothing())


def insert_new(session: Session, rows: list[NewFlowRun]) -> list[UUID]:
    """Insert runs, skipping those whose unique key (due time, idempotency key) exists; return the ids of the inserted ones."""
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        new = upsert(connection, runs).on_conflict_do_nothing().returning(runs.c.id)
        return list(connection.execute(new, rows).scalars())
    if _insert_unknown(connection, rows) < len(rows):
        ids, inserted = [row["id"] for row in rows], set[UUID]()
        for start in range(0, len(ids), _CHUNK):
            inserted.update(
                connection.execute(select(runs.c.id).where(runs.c.id.in_(ids[start : start + _CHUNK]))).scalars()
            )
        rows = [row for row in rows if row["id"] in inserted]
    run_names.add(connection, ((row["id"], row["name"]) for row in rows))
    return [row["id"] for row in rows]


def lock_attempt(session: Session, flow_run_id: UUID) -> AttemptRun | None:
    """Lock a run until the transaction ends: what the rules need to know of it, what an attempt works with, and whether its flow is paused.
    None when there is no such run."""
    return cast(AttemptRun | None, _OF_ATTEMPT.one_or_none(session, {"run": flow_run_id}))


def set_tokens(session: Session, hashes: list[AttemptToken]) -> None:
    """Store the hash of each attempt's token: rows of {run, hash}."""
    session.connection().execute(_SET_TOKEN, hashes)


def prolong(session: Session, agent_id: UUID, attempts: list[tuple[UUID, int]], lease: datetime) -> None:
    """Extend the leases of the attempts that this agent reports, where they are still its own."""
    statement = (
        update(runs)
        .where(
            runs.c.id == bindparam("run"),
            runs.c.attempt == bindparam("number"),
            runs.c.agent_id == agent_id,
            LIVE_NOW,
        )
        .values(lease_expires_at=lease)
    )
    rows = [{"run": run, "number": attempt} for run, attempt in sorted(attempts)]
    session.connection().execute(statement, rows)


def delete_planned(session: Session, schedule_id: UUID, now: datetime) -> int:
    """Delete the schedule's runs that are not due yet and that no one has taken or edited."""
    return _delete(session, planned_ahead(schedule_id, now), now)


def lock_planned(session: Session, schedule_id: UUID, after: datetime, until: datetime) -> dict[datetime, UUID]:
    """Lock the schedule's runs that came due in (after, until] and are still only planned; their ids by due time."""
    mine = (runs.c.schedule_id == schedule_id, runs.c.due_at > after, runs.c.due_at <= until)
    statement = select(runs.c.id, runs.c.due_at).where(ONLY_PLANNED, *mine).order_by(runs.c.id).with_for_update()
    return {row.due_at: row.id for row in readable.every(session, statement)}


def delete_all(session: Session, ids: list[UUID], now: datetime) -> None:
    """Delete these runs."""
    for start in range(0, len(ids), _CHUNK):
        _delete(session, runs.c.id.in_(ids[start : start + _CHUNK]), now)


def delete_one(session: Session, flow_run_id: UUID, now: datetime) -> None:
    """Delete a run with its task runs, states, logs, and those of its artifacts that don't outlive it."""
    while artifacts.remove_some_of_run(session, flow_run_id, _CHUNK, now):
        pass
    _delete(session, runs.c.id == flow_run_id, now)


def _delete(session: Session, chosen: ColumnElement[bool], now: datetime) -> int:
    run_names.forget(session, chosen)
    log_search.forget_runs(session, chosen)
    return usage.delete_runs(session, chosen, now)


def become_late(session: Session, due_before: datetime, message: str, now: datetime, limit: int) -> list[LateRun]:
    """Mark runs Late that were due by then, the most overdue first."""
    chosen = waiting_since(due_before).order_by(runs.c.scheduled_time).limit(limit).with_for_update(skip_locked=True)
    chosen_ids = select(chosen.cte("chosen").prefix_with("MATERIALIZED").c.id)
    statement = (
        update(runs)
        .where(runs.c.id.in_(chosen_ids))
        .values(
            state_type=LATE.type,
            state_name=LATE.name,
            state_message=message,
            state_data=None,
            state_at=now,
            version=runs.c.version + 1,
        )
        .returning(runs.c.id, runs.c.version, runs.c.attempt)
    )
    return cast(list[LateRun], readable.changed(session, statement))


def shorten_leases(session: Session, latest: datetime, lease: datetime) -> int:
    """Replace the leases of live runs that end after `latest`; return how many there were."""
    statement = update(runs).where(LIVE_NOW, runs.c.lease_expires_at > latest).values(lease_expires_at=lease)
    return int(session.connection().execute(statement).rowcount)
