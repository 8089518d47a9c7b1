"""Writing the outbox."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from appliance.server.db.bulk import BulkInsert
from appliance.server.db.tables.events import Event

_events = Event.__table__  # type: ignore[attr-defined]
_INSERT = insert(_events).returning(_events.c.id, sort_by_parameter_order=True)
_NEWEST = select(func.coalesce(func.max(_events.c.id), 0))
_insert = BulkInsert(_events)


def store(session: Session, rows: list[dict[str, Any]]) -> list[int]:
    """Insert the events and return their ids, in the same order."""
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        ids: list[int] = list(connection.execute(_INSERT, rows).scalars())
        return ids
    if len(rows) == 1:
        return [_insert.one(connection, rows[0])]
    newest: int = connection.execute(_NEWEST).scalar_one()  # one writer at a time: the next ids are known
    numbered = [row | {"id": newest + place} for place, row in enumerate(rows, 1)]
    _insert(connection, numbered)
    return [row["id"] for row in numbered]
