"""Writes of the installation's own small facts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from appliance.server.db.tables import metadata

_setting = metadata.tables["setting"]


def put(session: Session, name: str, value: str, now: datetime) -> None:
    """Set a fact, replacing what it was."""
    remove(session, name)
    session.execute(insert(_setting).values(name=name, value=value, updated=now))


def remove(session: Session, name: str) -> None:
    session.execute(delete(_setting).where(_setting.c.name == name))
