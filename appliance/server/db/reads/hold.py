"""Reads of the hold on overdue runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from appliance.server.db.conditions import SCHEDULED_NOW
from appliance.server.db.reads import settings
from appliance.server.db.tables import metadata

_run = metadata.tables["flow_run"]
_COUNTED = 10_000


@dataclass(frozen=True)
class Hold:
    """Runs that were due at `before` or earlier are held. The hold began at `since`, with `overdue` runs."""

    before: datetime
    since: datetime
    overdue: int


HOLD = settings.Stored("hold", Hold)


def held_until(hold: Hold | None) -> datetime | None:
    """Runs that were due at this time or earlier are held back; None when there is no hold."""
    return None if hold is None else hold.before


def overdue(session: Session, before: datetime) -> int:
    """How many waiting runs were due by then; counting stops just above ten thousand."""
    inner = select(_run.c.id).where(SCHEDULED_NOW, _run.c.scheduled_time <= before).limit(_COUNTED + 1).subquery()
    return session.execute(select(func.count()).select_from(inner)).scalar_one()
