"""Reads of the installation's own small facts."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.server.db.tables import metadata

_setting = metadata.tables["setting"]


def get(session: Session, name: str) -> str | None:
    found: str | None = session.execute(select(_setting.c.value).where(_setting.c.name == name)).scalar_one_or_none()
    return found


def several(session: Session, names: Collection[str]) -> dict[str, str]:
    """Those of these facts that are set."""
    found = session.execute(select(_setting.c.name, _setting.c.value).where(_setting.c.name.in_(names)))
    return {name: value for name, value in found}
