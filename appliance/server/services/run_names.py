"""The run_names service: adds the names of earlier runs to the index that a migration has made, so that no start waits for it."""

from __future__ import annotations

from datetime import datetime

from appliance.kit import clock
from appliance.server.actions import run_names
from appliance.server.db.session import Database

_ROUND = 5.0


class RunNames:
    name = "run_names"

    def __init__(self, db: Database, interval: float = 10.0) -> None:
        self.interval = interval
        self._db = db

    def run_once(self, now: datetime) -> dict[str, int]:
        """Add batches for a few seconds, which leaves as much time to others. Nothing to do is one read."""
        batches, deadline = 0, clock.monotonic() + _ROUND
        while clock.monotonic() < deadline and run_names.fill(self._db, now):
            batches += 1
        return {"batches": batches}
