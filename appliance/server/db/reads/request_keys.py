"""Reads of idempotency keys."""

from __future__ import annotations

from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.server.db.rows.request_keys import Remembered
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.request_keys import RequestKey

_keys = table(RequestKey)


def get(session: Session, id: str) -> Remembered | None:
    """What is known of a key."""
    statement = select(_keys.c.fingerprint, _keys.c.answer).where(_keys.c.id == id)
    return cast(Remembered | None, session.connection().execute(statement).one_or_none())
