"""The late service: calls runs Late that have not started though they are due."""

from __future__ import annotations

from datetime import datetime

from appliance.server.actions import late
from appliance.server.db.session import Database

_BATCHES = 10
"""In one round, so that after an outage others get their turn."""


class Late:
    name = "late"

    def __init__(self, db: Database, interval: float = 15.0) -> None:
        self.interval = interval
        self._db = db

    def run_once(self, now: datetime) -> dict[str, int]:
        """Mark what has become late since the last round."""
        marked = 0
        for _ in range(_BATCHES):
            found = late.mark_late(self._db, now)
            marked += found
            if found < late.BATCH:
                break
        return {"late": marked}
