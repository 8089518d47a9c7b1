"""The retention service: deletes what exceeds the age or number that the settings keep, or earlier to stay in the disk budget."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from appliance.config import Settings
from appliance.kit import clock
from appliance.server.actions import bundles
from appliance.server.actions.retention import Sweep, keep_of, over_budget
from appliance.server.db.session import Database
from appliance.server.domain.retention import tighter

_ROUND = 10.0
_BUDGET_FLOOR_DAYS = 1.0
"""Nothing newer than this is deleted to stay within the budget."""


class Retention:
    name = "retention"

    def __init__(self, db: Database, settings: Settings, round_seconds: float = _ROUND) -> None:
        self.interval = settings.retention_interval
        self._db = db
        self._keep = keep_of(settings)
        self._budget = settings.disk_budget_bytes
        self._seconds = round_seconds

    def run_once(self, now: datetime) -> dict[str, int]:
        """Sweep for a bounded time. The next round continues with the rest."""
        end = clock.monotonic() + self._seconds
        deleted = Counter(Sweep(self._db, self._keep, now, self._seconds).run())
        for keep in tighter(self._keep, _BUDGET_FLOOR_DAYS):
            left = end - clock.monotonic()
            if left <= 0 or not over_budget(self._db, self._budget):
                break
            deleted += Sweep(self._db, keep, now, left).run()
        while clock.monotonic() < end and (number := bundles.remove_unnamed(self._db, now)):
            deleted["bundles"] += number
        return dict(deleted)
