"""Reads of the installation's own settings."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from appliance.server.db.reads import readable
from appliance.server.db.tables import metadata

_setting = metadata.tables["setting"]
_SEVERAL = select(_setting.c.name, _setting.c.value).where(_setting.c.name.in_(bindparam("names", expanding=True)))


def get(session: Session, name: str) -> str | None:
    value: str | None = session.execute(select(_setting.c.value).where(_setting.c.name == name)).scalar_one_or_none()
    return value


def several(session: Session, names: Collection[str]) -> dict[str, str]:
    """The values of those of these settings that are stored."""
    return {name: value for name, value in readable.every(session, _SEVERAL, {"names": list(names)})}
