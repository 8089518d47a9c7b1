"""Reads of the maintenance that the appliance is in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy.orm import Session

from appliance.server.db.reads import settings

NAME = "maintenance"


@dataclass(frozen=True)
class Maintenance:
    """While it lasts no run is handed out. `until` None: until a person ends it."""

    since: datetime
    until: datetime | None
    by: str
    reason: str


def find(session: Session, now: datetime) -> Maintenance | None:
    """The maintenance that lasts now; None when there is none, or it has ended by itself."""
    return decoded(settings.get(session, NAME), now)


def decoded(text: str | None, now: datetime) -> Maintenance | None:
    """The same from the text that is kept."""
    found = None if text is None else msgspec.json.decode(text, type=Maintenance)
    return None if found is None or (found.until is not None and found.until <= now) else found
