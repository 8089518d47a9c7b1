"""Outages: noted by the first server that is back, and settled once every schedule has decided about the due times that passed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from appliance.server.actions.hold import TOPIC
from appliance.server.auth.identity import SYSTEM
from appliance.server.db.reads import leases as read_leases
from appliance.server.db.reads import outages as reads
from appliance.server.db.reads import schedules as read_schedules
from appliance.server.db.reads.outages import Outage
from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.writes import settings
from appliance.server.events.outbox import announce

_ID = UUID(int=0)
"""The id in the events of outages: there is only one at a time."""


def note_return(session: Session, now: datetime) -> None:
    """Before a server notes its presence: if none was there for a while, keep from when to when. An outage not settled yet grows."""
    server = read_leases.get(session, reads.SERVER)
    if server is None or server.last_run_at is None or server.expires >= now:
        return
    outage = reads.lasting(server, reads.OUTAGE.find(session), now)
    settings.put(session, reads.OUTAGE.name, msgspec.json.encode(outage).decode(), now)


def unsettled(db: Database, now: datetime) -> tuple[Outage | None, list[UUID]]:
    """The outage that a server has noted, and the schedules with planned runs that have come due in it."""
    with db.read() as session:
        outage = reads.OUTAGE.find(session)
        if outage is None:
            return None, []
        return outage, read_schedules.with_planned(session, outage.after, min(outage.until, now))


@retried
def settle(db: Database, outage: Outage, now: datetime) -> bool:
    """Hand out the runs that came due in this outage; False when it has grown since its schedules decided."""
    with db.write("outage.settle") as session:
        if reads.OUTAGE.find(session) != outage:
            return False
        settings.remove(session, reads.OUTAGE.name)
        announce(session, TOPIC, _ID, "outage.settled", {}, SYSTEM, now)
        return True
