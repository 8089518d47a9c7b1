"""Maintenance: administrators hold back every run for a while; runs in progress continue, and can be cancelled."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from appliance.kit import clock
from appliance.server.actions.keyed import keyed
from appliance.server.actions.lengths import end_of
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import maintenance as reads
from appliance.server.db.reads.maintenance import Maintenance
from appliance.server.db.session import Database
from appliance.server.db.writes import settings
from appliance.server.domain.sanitize import clean
from appliance.server.errors import Invalid
from appliance.server.events.outbox import announce

TOPIC = "maintenance"
LONGEST_REASON = 300
_ID = UUID(int=0)
"""The id in the events of maintenance: there is only one at a time."""


def find(db: Database, *, now: datetime | None = None) -> Maintenance | None:
    """The current maintenance."""
    with db.read() as session:
        return reads.find(session, now or clock.now())


@keyed("maintenance.begin")
def begin(
    db: Database,
    actor: Actor,
    reason: str = "",
    until: datetime | None = None,
    duration: float | None = None,
    *,
    now: datetime | None = None,
) -> Maintenance:
    """Hold back every run that has not started. During maintenance, replace its reason and end; its start stays.

    It ends at `until` or after `duration` seconds. Raises Invalid for an end that has no offset or is in the past.
    """
    now = now or clock.now()
    until = end_of(now, until, duration, ("until", "duration"))
    if until is not None and until.tzinfo is None:
        raise Invalid("The end of the maintenance must have an offset, like 2026-01-31T06:30:00+00:00.")
    if until is not None and until <= now:
        raise Invalid("The maintenance would already be over; give an end in the future, or none.")
    with db.write("maintenance.begin") as session:
        before = reads.find(session, now)
        since = now if before is None else before.since
        current = Maintenance(since, until, clean(actor.name, 200), clean(reason, LONGEST_REASON))
        settings.put(session, reads.MAINTENANCE.name, msgspec.json.encode(current).decode(), now)
        announce(session, TOPIC, _ID, "maintenance.begun", {"reason": current.reason}, actor, now)
    return current


@keyed("maintenance.end")
def end(db: Database, actor: Actor, reason: str = "", *, now: datetime | None = None) -> None:
    """Let runs start again. Ending again changes nothing."""
    now = now or clock.now()
    with db.write("maintenance.end") as session:
        if reads.find(session, now) is None:
            return
        settings.remove(session, reads.MAINTENANCE.name)
        announce(session, TOPIC, _ID, "maintenance.ended", {"reason": clean(reason, LONGEST_REASON)}, actor, now)
