"""Writing the installation's own settings."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from appliance.server.db.tables import metadata
from appliance.server.db.upserts import upsert

_setting = metadata.tables["setting"]


def put(session: Session, name: str, value: str, now: datetime) -> None:
    """Store a setting, replacing its value; of two concurrent writes the later wins."""
    statement = upsert(session, _setting).values(name=name, value=value, updated=now)
    changed = {"value": value, "updated": now}
    session.connection().execute(statement.on_conflict_do_update(index_elements=["name"], set_=changed))


def keep(session: Session, name: str, value: str, now: datetime) -> None:
    """Store a setting unless it has a value; of two concurrent writes the first wins."""
    statement = upsert(session, _setting).values(name=name, value=value, updated=now)
    session.connection().execute(statement.on_conflict_do_nothing(index_elements=["name"]))


def remove(session: Session, name: str) -> None:
    session.execute(delete(_setting).where(_setting.c.name == name))
