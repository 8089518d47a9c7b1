"""Completing the index of the names of runs after the upgrade that introduced it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from appliance.server.db.reads import run_names as reads
from appliance.server.db.reads import settings
from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.writes import run_names
from appliance.server.db.writes import settings as write_settings

BATCH = 1_000


@retried
def fill(db: Database, now: datetime, limit: int = BATCH) -> bool:
    """Add the names of the next runs that were created before the upgrade; whether there may be more."""
    with db.read() as session:
        if settings.get(session, reads.FILL.name) is None:
            return False
    with db.write("run_names.fill") as session:
        after = run_names.fill(session, reads.FILL.find(session) or UUID(int=0), limit)
        if after is None:
            write_settings.remove(session, reads.FILL.name)
        else:
            write_settings.put(session, reads.FILL.name, f'"{after}"', now)
    return after is not None
