"""Writing and removing results that the appliance keeps."""

from __future__ import annotations

from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.orm import Session

from appliance.protocol.results import StoreResult
from appliance.server.db import usage
from appliance.server.db.reads import kept_results as reads
from appliance.server.db.rows.kept_results import Facts, NewResult
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.kept_results import KeptResult
from appliance.server.db.writes import usage as usage_of_runs
from appliance.server.domain.quotas import ROW
from appliance.server.domain.sanitize import clean

_result = table(KeptResult)
_AT_ONCE = 20
"""As many may be large."""


def lock(session: Session, project_id: UUID, location: str) -> Facts | None:
    """The result at a location, which stays as it is until the transaction ends."""
    statement = select(*reads.FACTS).where(_result.c.project_id == project_id, _result.c.location == location)
    return cast(Facts | None, session.connection().execute(statement.with_for_update()).one_or_none())


def add(session: Session, row: NewResult) -> None:
    session.connection().execute(insert(_result), dict(row))


def replace(session: Session, id: UUID, request: StoreResult, now: datetime, expires: datetime | None) -> None:
    """Give a result other bytes."""
    changed = {
        "content": request.content, "sha256": request.sha256, "size": len(request.content), "sealed": request.sealed,
        "key_id": clean(request.key_id, 32) or None, "stored": now,
        "expires": expires,
    }  # fmt: skip
    session.connection().execute(update(_result).where(_result.c.id == id).values(**changed))


def prolong(session: Session, id: UUID, now: datetime, expires: datetime | None) -> None:
    """Record that the same bytes were stored again."""
    session.connection().execute(update(_result).where(_result.c.id == id).values(stored=now, expires=expires))


def remove_some_of_run(session: Session, flow_run_id: UUID, limit: int) -> int:
    """Remove results of a run that is being deleted, which takes what they have stored off its project; how many."""
    some = select(_result.c.id).where(_result.c.flow_run_id == flow_run_id).limit(min(limit, _AT_ONCE))
    return int(session.connection().execute(delete(_result).where(_result.c.id.in_(some))).rowcount)


def remove_expired(session: Session, now: datetime, limit: int) -> tuple[int, bool]:
    """Remove shared results that have expired, and whether there may be more."""
    most = min(limit, _AT_ONCE)
    over = select(_result.c.id).where(_result.c.expires <= now).order_by(_result.c.expires).limit(most)
    removed = _remove(session, _result.c.id.in_(over))
    return removed, removed >= most > 0


def remove_some_of_project(session: Session, project_id: UUID) -> int:
    """Remove results of a project that is being deleted; how many."""
    some = select(_result.c.id).where(_result.c.project_id == project_id).limit(_AT_ONCE)
    return _remove(session, _result.c.id.in_(some))


def remove(session: Session, id: UUID) -> bool:
    """Remove one result; whether it was there."""
    return _remove(session, _result.c.id == id) > 0


def _remove(session: Session, chosen: ColumnElement[bool]) -> int:
    """Remove results, and take them off what their projects and runs have stored."""
    columns = (_result.c.id, _result.c.project_id, _result.c.flow_run_id, _result.c.size)
    gone = session.connection().execute(delete(_result).where(chosen).returning(*columns)).all()
    for row in gone:
        if row.flow_run_id is not None:
            usage_of_runs.add_to_run(session, row.flow_run_id, -1, -row.size - ROW)
        usage.add(session, row.project_id, row.flow_run_id or row.id, -1, -row.size - ROW)
    return len(gone)
