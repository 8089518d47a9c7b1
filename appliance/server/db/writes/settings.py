"""Writes of the installation's own small facts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from appliance.server.db.tables import metadata

_setting = metadata.tables["setting"]


def put(session: Session, name: str, value: str, now: datetime) -> None:
    """Set a fact, replacing what it was; of two at once the later one stays."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(_setting).values(name=name, value=value, updated=now)
    changed = {"value": value, "updated": now}
    session.connection().execute(statement.on_conflict_do_update(index_elements=["name"], set_=changed))


def remove(session: Session, name: str) -> None:
    session.execute(delete(_setting).where(_setting.c.name == name))
