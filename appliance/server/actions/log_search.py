"""Keeping the index of the words of log lines behind them on SQLite, and completing it after the upgrade that introduced it."""

from __future__ import annotations

from datetime import datetime

from appliance.server.db.reads import log_search as reads
from appliance.server.db.reads import settings
from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.writes import log_search
from appliance.server.db.writes import settings as write_settings

BATCH = 2_000
_NEWEST = 2**63 - 1


@retried
def follow(db: Database, limit: int = BATCH) -> bool:
    """Add the next lines that SQLite's index doesn't have yet, oldest first; whether there may be more. Before the newest line of before
    an upgrade is in it, there are none."""
    if db.dialect != "sqlite":
        return False
    with db.read() as session:
        newest, indexed = reads.lag(session)
        if newest <= indexed or (not indexed and settings.get(session, reads.FILL.name) is not None):
            return False
    with db.write("log_search.follow") as session:
        _, indexed = reads.lag(session)
        return log_search.follow(session, indexed, limit) == limit


@retried
def fill(db: Database, now: datetime, limit: int = BATCH) -> bool:
    """Add the next lines of before the upgrade, newest first; whether there may be more."""
    with db.read() as session:
        if settings.get(session, reads.FILL.name) is None:
            return False
    with db.write("log_search.fill") as session:
        below = log_search.fill(session, reads.FILL.find(session) or _NEWEST, limit)
        if below is None:
            write_settings.remove(session, reads.FILL.name)
        else:
            write_settings.put(session, reads.FILL.name, str(below), now)
    return below is not None
