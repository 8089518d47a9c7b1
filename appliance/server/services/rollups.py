"""The rollups service: keeps the hourly totals of ended runs close behind the outbox."""

from __future__ import annotations

from datetime import datetime

from appliance.kit import clock
from appliance.server.actions import rollups
from appliance.server.db.session import Database

_ROUND = 5.0


class Rollups:
    name = "rollups"

    def __init__(self, db: Database, interval: float = 10.0) -> None:
        self.interval = interval
        self._db = db

    def run_once(self, now: datetime) -> dict[str, int]:
        """Add up the events since the last round. After a long outage, process as many as fit into a few seconds."""
        read, deadline = 0, clock.monotonic() + _ROUND
        while clock.monotonic() < deadline:
            batch = rollups.advance(self._db, now)
            read += batch
            if batch < rollups.BATCH:
                break
        return {"events": read}
