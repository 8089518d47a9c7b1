"""The repair service: notices runs that died with their machine or their agent, or that hang on the way, and puts them right."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID

from appliance.kit import clock, crash
from appliance.server.actions import presence, repair
from appliance.server.db.session import Database
from appliance.server.domain.presence import patience

log = logging.getLogger(__name__)

OUTCOMES = {"FAILED": "crashed", "CANCELLED": "cancelled", "SCHEDULED": "returned"}
"""How a silent run's new type is counted."""


class Repair:
    name = "repair"

    def __init__(self, db: Database, interval: float = 15.0, started: datetime | None = None) -> None:
        self.interval = interval
        self._db = db
        self._lease = timedelta(seconds=db.rules.run_lease)
        self._started = started or clock.now()

    def run_once(self, now: datetime) -> dict[str, int]:
        """Give back or end silent runs, once all of them could have been heard for the length of a lease."""
        counts = dict.fromkeys(OUTCOMES.values(), 0)
        if not self._could_hear(now):
            return counts
        repair.shorten_leases(self._db, now)
        for flow_run_id in repair.silent_runs(self._db, now):
            crash.point("watch.found")
            self._count(counts, flow_run_id, "was silent", repair.mend_silent(self._db, flow_run_id, now=now))
        for flow_run_id in repair.stuck_runs(self._db, now):
            self._count(counts, flow_run_id, "went no further", repair.mend_stuck(self._db, flow_run_id, now=now))
        return counts

    def _could_hear(self, now: datetime) -> bool:
        """Silence proves nothing unless a server was there to be talked to all the while, by a clock that agrees with ours and was
        not moved. The server keeps the record of that, so it outlives us: whoever does the next round can judge at once."""
        heard = repair.server_heard(self._db, presence.NAME)
        if heard is None:
            return now - self._started >= self._lease
        since, last = heard
        return abs(now - last) <= patience(self._db.rules) and now - since >= self._lease

    def _count(self, counts: dict[str, int], flow_run_id: UUID, why: str, became: str | None) -> None:
        if became is not None:
            counts[OUTCOMES[became]] += 1
            log.warning("Run %s %s for too long and is %s now.", flow_run_id, why, became)
