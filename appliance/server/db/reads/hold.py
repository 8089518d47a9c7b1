"""Reads of the hold on overdue runs."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from appliance.server.db.conditions import SCHEDULED_NOW
from appliance.server.db.reads import settings
from appliance.server.db.tables import metadata

NAME = "hold"
_run = metadata.tables["flow_run"]
_COUNTED = 10_000


class _StoredHold(msgspec.Struct):
    before: datetime


def text_of(session: Session) -> str | None:
    """The stored hold as text; None when there is none."""
    return settings.get(session, NAME)


def held_until(session: Session) -> datetime | None:
    """Runs that were due at this time or earlier are held back; None when there is no hold."""
    return decoded(settings.get(session, NAME))


def decoded(text: str | None) -> datetime | None:
    """The same from the stored text."""
    return None if text is None else msgspec.json.decode(text, type=_StoredHold).before


def overdue(session: Session, before: datetime) -> int:
    """How many waiting runs were due by then; counting stops just above ten thousand."""
    inner = select(_run.c.id).where(SCHEDULED_NOW, _run.c.scheduled_time <= before).limit(_COUNTED + 1).subquery()
    return session.execute(select(func.count()).select_from(inner)).scalar_one()
