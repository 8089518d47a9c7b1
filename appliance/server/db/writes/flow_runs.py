"""Writing flow runs: creating them, handing due ones to an agent, prolonging leases, removing those that were only planned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, TextClause, bindparam, delete, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.tables.flows import Flow

runs = FlowRun.__table__  # type: ignore[attr-defined]
_flows = Flow.__table__  # type: ignore[attr-defined]

SCHEDULED_NOW = text("flow_run.state_type = 'SCHEDULED'")
LIVE_NOW = text("flow_run.state_type in ('PENDING', 'RUNNING', 'CANCELLING')")
"""Written out, not bound: only so can the planner see that the partial indexes serve."""
_SERVED = {
    "sqlite": text(
        "not exists (select 1 from json_each(flow_run.labels) as wanted"
        " where wanted.value not in (select value from json_each(:agent_labels)))"
    ),
    "postgresql": text("flow_run.labels <@ cast(:agent_labels as jsonb)"),
}
"""A run's labels must be a subset of the agent's; decided by the database, so that runs nobody serves hide no others."""


def insert_new(session: Session, rows: list[dict[str, Any]]) -> list[UUID]:
    """Insert runs except those that a unique key knows already (due time, idempotency key); the ids of the inserted ones."""
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(FlowRun).on_conflict_do_nothing().returning(runs.c.id)
    return list(session.connection().execute(statement, rows).scalars())


def due(dialect: str, now: datetime) -> list[ColumnElement[bool] | TextClause]:
    """The conditions under which a run may be handed out, to an agent with :agent_labels."""
    return [
        SCHEDULED_NOW,
        runs.c.scheduled_time <= now,
        runs.c.flow_id.in_(select(_flows.c.id).where(~_flows.c.paused, ~_flows.c.archived)),
        _SERVED[dialect],
    ]


def any_due(session: Session, labels: Sequence[str], now: datetime) -> bool:
    """Is there a run that an agent with these labels could have?"""
    statement = select(runs.c.id).where(*due(session.get_bind().dialect.name, now)).limit(1)
    return session.execute(statement, {"agent_labels": as_json(labels)}).first() is not None


def claim(
    session: Session, agent_id: UUID, labels: Sequence[str], limit: int, now: datetime, lease: datetime
) -> list[Any]:
    """Give up to `limit` due runs to the agent, each as a new attempt: one statement, so no run is given twice."""
    chosen = (
        select(runs.c.id)
        .where(*due(session.get_bind().dialect.name, now))
        .order_by(runs.c.priority.desc(), runs.c.scheduled_time, runs.c.id)
        .limit(limit)
        .with_for_update(of=runs, skip_locked=True)
        .cte("chosen")
        .prefix_with("MATERIALIZED")  # Postgres may otherwise run the choice twice and claim more than asked for
    )
    statement = (
        update(runs)
        .where(runs.c.id.in_(select(chosen.c.id)))
        .values(
            state_type="PENDING",
            state_name="Submitted",
            state_message="",
            state_data=None,
            state_at=now,
            version=runs.c.version + 1,
            attempt=runs.c.attempt + 1,
            agent_id=agent_id,
            lease_expires_at=lease,
            last_seq=0,
            cancel_requested=False,
            start_time=None,
            end_time=None,
        )
        .returning(
            runs.c.id,
            runs.c.attempt,
            runs.c.version,
            runs.c.name,
            runs.c.priority,
            runs.c.scheduled_time,
            runs.c.flow_version_id,
            runs.c.run_config,
        )
    )
    claimed = session.connection().execute(statement, {"agent_labels": as_json(labels)}).all()
    return sorted(claimed, key=lambda row: (-row.priority, row.scheduled_time, row.id))


def set_tokens(session: Session, hashes: list[dict[str, Any]]) -> None:
    """Store the hash of each attempt's token: rows of {run, hash}."""
    statement = update(runs).where(runs.c.id == bindparam("run")).values(run_token_hash=bindparam("hash"))
    session.connection().execute(statement, hashes)


def prolong(session: Session, agent_id: UUID, held: list[tuple[UUID, int]], lease: datetime) -> None:
    """Prolong the leases of the attempts that this agent says it runs, where they are still its own."""
    statement = (
        update(runs)
        .where(
            runs.c.id == bindparam("run"),
            runs.c.attempt == bindparam("held"),
            runs.c.agent_id == agent_id,
            LIVE_NOW,
        )
        .values(lease_expires_at=lease)
    )
    rows = [{"run": run, "held": attempt} for run, attempt in sorted(held)]
    session.connection().execute(statement, rows)


def delete_planned(session: Session, schedule_id: UUID, now: datetime) -> int:
    """Remove the schedule's runs that are not due yet and that nobody has taken or touched."""
    statement = delete(runs).where(
        runs.c.schedule_id == schedule_id,
        runs.c.due_at > now,
        runs.c.state_type == "SCHEDULED",
        runs.c.attempt == 0,
    )
    return int(session.connection().execute(statement).rowcount)


def as_json(labels: Sequence[str]) -> str:
    return msgspec.json.encode(sorted(set(labels))).decode()


def expired(session: Session, now: datetime, limit: int) -> list[UUID]:
    """Live runs whose lease is over, longest over first."""
    statement = select(runs.c.id).where(LIVE_NOW, runs.c.lease_expires_at < now)
    return list(session.execute(statement.order_by(runs.c.lease_expires_at).limit(limit)).scalars())
