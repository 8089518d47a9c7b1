"""The disk service: notes how the disk fills, keeps the reserve in place and SQLite's write-ahead log small."""

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
        """Make the reserve again when there is room, fold a long log into the database, take a sample every hour."""
        reserve = self._db.space is not None and self._db.space.restore()
        folded = disk.keep_log_small(self._db)
        return {"reserve": int(reserve), "folded": int(folded), "samples": int(disk.sample(self._db, now))}
