"""Reads of the maintenance mode."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from appliance.server.db.reads import settings


@dataclass(frozen=True)
class Maintenance:
    """While it lasts, no run is handed out. Without `until`, it lasts until a person ends it."""

    since: datetime
    until: datetime | None
    by: str
    reason: str


MAINTENANCE = settings.Stored("maintenance", Maintenance)


def find(session: Session, now: datetime) -> Maintenance | None:
    """The current maintenance; None when there is none, or it has expired."""
    return current(MAINTENANCE.find(session), now)


def current(maintenance: Maintenance | None, now: datetime) -> Maintenance | None:
    """The stored one, unless it has expired."""
    if maintenance is None or (maintenance.until is not None and maintenance.until <= now):
        return None
    return maintenance
