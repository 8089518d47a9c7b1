"""The disk service: samples disk usage, keeps the reserve in place and SQLite's write-ahead log small."""

from __future__ import annotations

from datetime import datetime

from appliance.server.actions import disk
from appliance.server.db.session import Database


class Disk:
    name = "disk"

    def __init__(self, db: Database, interval: float = 30.0) -> None:
        self.interval = interval
        self._db = db

    def run_once(self, now: datetime) -> dict[str, int]:
        """Restore the reserve if there is room, checkpoint a long log into the database, and take a sample every hour."""
        reserve = self._db.space is not None and self._db.space.restore()
        folded = disk.keep_log_small(self._db)
        return {"reserve": int(reserve), "folded": int(folded), "samples": int(disk.sample(self._db, now))}
