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


class _Kept(msgspec.Struct):
    before: datetime


def text_of(session: Session) -> str | None:
    """The hold as it is kept; None when nothing is held."""
    return settings.get(session, NAME)


def held_until(session: Session) -> datetime | None:
    """Runs that were due at this time or earlier are held; None when none are."""
    return decoded(settings.get(session, NAME))


def decoded(text: str | None) -> datetime | None:
    """The same from the text that is kept."""
    return None if text is None else msgspec.json.decode(text, type=_Kept).before


def overdue(session: Session, before: datetime) -> int:
    """How many runs wait that were due by then; counting ends a little above ten thousand."""
    inner = select(_run.c.id).where(SCHEDULED_NOW, _run.c.scheduled_time <= before).limit(_COUNTED + 1).subquery()
    return session.execute(select(func.count()).select_from(inner)).scalar_one()
