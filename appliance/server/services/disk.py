"""The disk service: samples disk usage, keeps the reserve in place and SQLite's write-ahead log small."""

from __future__ import annotations

from datetime import datetime

from appliance.server.actions import disk
from appliance.server.db.session import Database


class Disk:
    name = "disk"

    def __init__(self, db: Database, budget: int = 0, interval: float = 30.0) -> None:
        self.interval = interval
        self._db, self._budget = db, budget

    def run_once(self, now: datetime) -> dict[str, int]:
        """Restore the reserve if there is room, checkpoint a long log into the database, take a sample every hour, and announce when disk space
        is low."""
        reserve = self._db.space is not None and self._db.space.restore()
        folded = disk.keep_log_small(self._db)
        sampled = disk.sample(self._db, now)
        disk.note_low(self._db, self._budget, now)
        return {"reserve": int(reserve), "folded": int(folded), "samples": int(sampled)}
