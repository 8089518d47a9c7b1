"""Limits: stored, changed, and held while slots under them are given out."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from appliance.server.db.tables.concurrency import ConcurrencyLimit
from appliance.server.domain.concurrency import TASK_TAG, Limit

_limits = ConcurrencyLimit.__table__  # type: ignore[attr-defined]


def held_for_runs(session: Session) -> list[Limit]:
    """The limits that runs fall under. Until the transaction ends nobody else gives out slots under them."""
    statement = select(_limits.c.kind, _limits.c.name, _limits.c.slots).where(_limits.c.kind != TASK_TAG)
    return [Limit(*row) for row in session.execute(statement.order_by(_limits.c.id).with_for_update())]


def put(session: Session, row: dict[str, Any]) -> Any:
    """Store a limit, or give the one of the same kind and name other slots; the stored row."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(ConcurrencyLimit).values(row)
    statement = statement.on_conflict_do_update(
        index_elements=["kind", "name"], set_={"slots": row["slots"], "updated": row["updated"]}
    )
    return session.connection().execute(statement.returning(*_limits.c)).one()


def remove(session: Session, limit_id: UUID) -> Any | None:
    """Delete a limit; its row, None when there was none."""
    return (
        session.connection()
        .execute(delete(_limits).where(_limits.c.id == limit_id).returning(*_limits.c))
        .one_or_none()
    )


def new_row(id: UUID, kind: str, name: str, slots: int, actor: str, now: datetime) -> dict[str, Any]:
    return {
        "id": id, "kind": kind, "name": name, "slots": slots, "created": now, "updated": now, "created_by": actor,
    }  # fmt: skip
