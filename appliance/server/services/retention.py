"""The retention service: deletes what is older or more than the settings keep, and sooner when the disk budget is exceeded."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from appliance.config import Settings
from appliance.kit import clock
from appliance.server.actions.retention import Sweep, keep_of, over_budget
from appliance.server.db.session import Database
from appliance.server.domain.retention import tighter

_ROUND = 10.0
_BUDGET_FLOOR_DAYS = 1.0
"""For a budget nothing is deleted that is younger than this."""


class Retention:
    name = "retention"

    def __init__(self, db: Database, settings: Settings, round_seconds: float = _ROUND) -> None:
        self.interval = settings.retention_interval
        self._db = db
        self._keep = keep_of(settings)
        self._budget = settings.disk_budget_bytes
        self._seconds = round_seconds

    def run_once(self, now: datetime) -> dict[str, int]:
        """One sweep of bounded time; what is left over is for the next round."""
        end = clock.monotonic() + self._seconds
        deleted = Counter(Sweep(self._db, self._keep, now, self._seconds).run())
        for keep in tighter(self._keep, _BUDGET_FLOOR_DAYS):
            left = end - clock.monotonic()
            if left <= 0 or not over_budget(self._db, self._budget):
                break
            deleted += Sweep(self._db, keep, now, left).run()
        return dict(deleted)
