"""Reads for backfills: which due times have runs, and how many runs of a backfill have not ended."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from appliance.server.db.reads import readable
from appliance.server.db.tables import metadata

_run = metadata.tables["flow_run"]
_UNFINISHED = ("SCHEDULED", "PENDING", "PAUSED", "RUNNING", "CANCELLING")


def times_with_runs(
    session: Session, flow_id: UUID, schedule_id: UUID | None, key: str, start: datetime, end: datetime
) -> set[datetime]:
    """The due times from `start` until before `end` that have a run, of the schedule or with an idempotency key that starts with `key`."""
    query = select(_run.c.due_at).where(_run.c.due_at >= start, _run.c.due_at < end)
    if schedule_id is not None:
        query = query.where(_run.c.schedule_id == schedule_id)
    else:
        query = query.where(_run.c.flow_id == flow_id, _starts_with(key))
    return set(readable.scalars(session, query))


def unfinished(session: Session, flow_id: UUID, key: str) -> int:
    """How many runs of a flow with keys that start with `key` have not ended."""
    query = select(func.count()).where(_run.c.flow_id == flow_id, _run.c.state_type.in_(_UNFINISHED), _starts_with(key))
    return session.execute(query).scalar_one()


def _starts_with(key: str) -> ColumnElement[bool]:
    return _run.c.idempotency_key.startswith(key, autoescape=True)
