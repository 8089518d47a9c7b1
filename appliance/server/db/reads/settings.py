"""Reads of the installation's own small facts."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.server.db.tables import metadata

_setting = metadata.tables["setting"]


def get(session: Session, name: str) -> str | None:
    found: str | None = session.execute(select(_setting.c.value).where(_setting.c.name == name)).scalar_one_or_none()
    return found
