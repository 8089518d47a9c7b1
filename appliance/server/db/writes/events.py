"""Writing to the outbox."""

from __future__ import annotations

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from appliance.server.db.bulk import BulkInsert
from appliance.server.db.rows.events import NewEvent
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.events import Event

_events = table(Event)
_INSERT = insert(_events).returning(_events.c.id, sort_by_parameter_order=True)
_NEWEST = select(func.coalesce(func.max(_events.c.id), 0))
_insert = BulkInsert(_events)


def store(session: Session, rows: list[NewEvent]) -> list[int]:
    """Insert the events; return their ids in the same order."""
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        ids: list[int] = list(connection.execute(_INSERT, rows).scalars())
        return ids
    if len(rows) == 1:
        return [_insert.one(connection, rows[0])]
    newest: int = connection.execute(_NEWEST).scalar_one()  # one writer at a time: the next ids are known
    numbers = range(newest + 1, newest + 1 + len(rows))
    _insert(connection, [{**row, "id": id} for id, row in zip(numbers, rows, strict=True)])
    return list(numbers)
