"""Maintenance: administrators hold back every run for a while; what runs goes on, and can be cancelled."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from appliance.kit import clock
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import maintenance as reads
from appliance.server.db.reads.maintenance import Maintenance
from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.writes import settings
from appliance.server.domain.sanitize import clean
from appliance.server.errors import Invalid
from appliance.server.events.outbox import announce

TOPIC = "maintenance"
LONGEST_REASON = 300
_ID = UUID(int=0)
"""There is one maintenance at a time; events need some id."""


def find(db: Database, *, now: datetime | None = None) -> Maintenance | None:
    """The maintenance that lasts now."""
    with db.read() as session:
        return reads.find(session, now or clock.now())


@retried
def begin(
    db: Database, actor: Actor, reason: str = "", until: datetime | None = None, *, now: datetime | None = None
) -> Maintenance:
    """Hold back every run that has not started. Begun again, the new reason and end count; it began when it began.

    Raises Invalid for an end that has no offset or is over.
    """
    now = now or clock.now()
    if until is not None and until.tzinfo is None:
        raise Invalid("The end of the maintenance must have an offset, like 2026-01-31T06:30:00+00:00.")
    if until is not None and until <= now:
        raise Invalid("The maintenance would be over already; give an end in the future, or none.")
    with db.write("maintenance.begin") as session:
        before = reads.find(session, now)
        since = now if before is None else before.since
        found = Maintenance(since, until, clean(actor.name, 200), clean(reason, LONGEST_REASON))
        settings.put(session, reads.NAME, msgspec.json.encode(found).decode(), now)
        announce(session, TOPIC, _ID, "maintenance.begun", {"reason": found.reason}, actor, now)
    return found


@retried
def end(db: Database, actor: Actor, reason: str = "", *, now: datetime | None = None) -> None:
    """Let runs start again. Ending again changes nothing."""
    now = now or clock.now()
    with db.write("maintenance.end") as session:
        if reads.find(session, now) is None:
            return
        settings.remove(session, reads.NAME)
        announce(session, TOPIC, _ID, "maintenance.ended", {"reason": clean(reason, LONGEST_REASON)}, actor, now)
