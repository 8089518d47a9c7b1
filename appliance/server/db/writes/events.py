"""Writing the outbox, and waking those who listen for it in other processes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from appliance.server.db.tables.events import Event

CHANNEL = "appliance_events"
_INSERT = insert(Event).returning(Event.__table__.c.id, sort_by_parameter_order=True)  # type: ignore[attr-defined]


def store(session: Session, rows: list[dict[str, Any]]) -> list[int]:
    """Insert the events and return their ids, in the same order."""
    ids: list[int] = list(session.connection().execute(_INSERT, rows).scalars())
    return ids


def notify(session: Session) -> None:
    """Have Postgres tell the listeners of other processes once this transaction commits; SQLite's watchers see the commit itself."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("select pg_notify(:channel, '')"), {"channel": CHANNEL})
