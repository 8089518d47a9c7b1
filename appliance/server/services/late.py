"""The late service: marks runs Late that are due but have not started."""

from __future__ import annotations

from datetime import datetime

from appliance.server.actions import late
from appliance.server.db.session import Database

_BATCHES = 10
"""Per round, so that other services get their turn after an outage."""


class Late:
    name = "late"

    def __init__(self, db: Database, interval: float = 15.0) -> None:
        self.interval = interval
        self._db = db

    def run_once(self, now: datetime) -> dict[str, int]:
        """Mark the runs that have become late since the last round."""
        marked = 0
        for _ in range(_BATCHES):
            batch = late.mark_late(self._db, now)
            marked += batch
            if batch < late.BATCH:
                break
        return {"late": marked}
