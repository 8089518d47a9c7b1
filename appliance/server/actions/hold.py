"""The hold: after an outage with very many overdue runs, none of those starts until an administrator has decided. New runs start."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.protocol.run_filter import RunFilter
from appliance.server.actions.keyed import keyed
from appliance.server.auth.identity import SYSTEM, Actor
from appliance.server.db.reads import hold as reads
from appliance.server.db.reads import outages
from appliance.server.db.reads.hold import Hold
from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.writes import settings
from appliance.server.domain.sanitize import clean
from appliance.server.events.outbox import announce

TOPIC = "hold"
_ID = UUID(int=0)
"""The id in the hold's events: there is only one hold."""


def find(session: Session) -> Hold | None:
    """The hold as it is now."""
    return reads.HOLD.find(session)


def filter_of(hold: Hold) -> RunFilter:
    """Which runs are held."""
    return RunFilter(states=["SCHEDULED"], until=hold.before + timedelta(microseconds=1))


def must_wait(db: Database, now: datetime) -> bool:
    """Whether schedules have still to decide which of their overdue runs start at all."""
    with db.read() as session:
        return outages.find(session, now) is not None


@retried
def begin_if_many(db: Database, before: datetime, most: int, *, now: datetime) -> int | None:
    """Hold what was due by `before` if that is more than `most` runs and nothing is held yet; how many, or None."""
    with db.read() as session:
        if find(session) is not None or (overdue := reads.overdue(session, before)) <= most:
            return None
    with db.write("hold.begin") as session:
        if find(session) is not None:
            return None
        settings.put(session, reads.HOLD.name, msgspec.json.encode(Hold(before, now, overdue)).decode(), now)
        announce(session, TOPIC, _ID, "hold.begun", {"overdue": overdue}, SYSTEM, now)
        return overdue


@keyed("hold.release")
def release(db: Database, actor: Actor, reason: str = "", *, now: datetime | None = None) -> None:
    """Let the held runs start. Releasing again changes nothing."""
    with db.write("hold.release") as session:
        release_within(session, actor, reason, now or clock.now())


def release_within(session: Session, actor: Actor, reason: str, now: datetime) -> None:
    """The same inside another action's transaction."""
    if find(session) is None:
        return
    settings.remove(session, reads.HOLD.name)
    announce(session, TOPIC, _ID, "hold.released", {"reason": clean(reason)}, actor, now)
