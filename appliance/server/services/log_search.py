"""The log_search service: adds log lines to SQLite's index a few seconds after them, and those of before an upgrade, so that no start waits for it."""

from __future__ import annotations

from datetime import datetime

from appliance.kit import clock
from appliance.server.actions import log_search
from appliance.server.db.session import Database

_ROUND = 5.0


class LogSearch:
    name = "log_search"

    def __init__(self, db: Database, interval: float = 5.0) -> None:
        self.interval = interval
        self._db = db

    def run_once(self, now: datetime) -> dict[str, int]:
        """Add batches for a few seconds, which leaves as much time to others. Nothing to do is one read."""
        batches, deadline = 0, clock.monotonic() + _ROUND
        while clock.monotonic() < deadline and (log_search.follow(self._db) or log_search.fill(self._db, now)):
            batches += 1
        return {"batches": batches}
