"""Reads of the maintenance mode."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy.orm import Session

from appliance.server.db.reads import settings

NAME = "maintenance"


@dataclass(frozen=True)
class Maintenance:
    """While it lasts, no run is handed out. Without `until`, it lasts until a person ends it."""

    since: datetime
    until: datetime | None
    by: str
    reason: str


def find(session: Session, now: datetime) -> Maintenance | None:
    """The current maintenance; None when there is none, or it has expired."""
    return decoded(settings.get(session, NAME), now)


def decoded(text: str | None, now: datetime) -> Maintenance | None:
    """The same from the stored text."""
    if text is None:
        return None
    maintenance = msgspec.json.decode(text, type=Maintenance)
    return None if maintenance.until is not None and maintenance.until <= now else maintenance
