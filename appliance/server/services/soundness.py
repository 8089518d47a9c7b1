"""The soundness service: looks for damage in SQLite's file and in the rows of the database after every start, and then once a day."""

from __future__ import annotations

from datetime import datetime

from appliance.kit import clock
from appliance.server.actions import soundness
from appliance.server.db.session import Database

_APART = 24 * 3600.0


class Soundness:
    name = "soundness"

    def __init__(self, db: Database, interval: float = 60.0) -> None:
        self.interval = interval  # short, because another process takes over after three of them
        self._db = db
        self._looked: float | None = None

    def run_once(self, now: datetime) -> dict[str, int]:
        """Look through the database if this process has not done so in the last day."""
        due = self._looked is None or clock.monotonic() - self._looked >= _APART
        if not due:
            return {"checked": 0, "problems": 0}
        result = soundness.check(self._db, now)
        self._looked = clock.monotonic()
        return {"checked": 1, "problems": len(result.problems)}
