"""Writing idempotency keys."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.orm import Session

from appliance.server.db.rows.request_keys import NewRequestKey
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.request_keys import RequestKey
from appliance.server.db.upserts import upsert

_keys = table(RequestKey)


def claim(session: Session, new: NewRequestKey) -> bool:
    """Store a key that nobody has used; False when it is known. On Postgres this waits for a transaction that is storing it now."""
    statement = upsert(session, _keys).values(new).on_conflict_do_nothing().returning(_keys.c.id)
    return session.connection().execute(statement).first() is not None


def answer(session: Session, id: str, answer: str) -> None:
    """Record the answer to the request of a key."""
    session.connection().execute(update(_keys).where(_keys.c.id == id).values(answer=answer))
