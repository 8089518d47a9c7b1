"""The repair service: notices runs that died with their machine or their agent, or that hang on the way, and puts them right."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID

from appliance.kit import clock, crash
from appliance.server.actions import repair
from appliance.server.db.session import Database
from appliance.server.events import presence

log = logging.getLogger(__name__)

OUTCOMES = {"FAILED": "crashed", "CANCELLED": "cancelled", "SCHEDULED": "returned"}
"""How a silent run's new type is counted."""


class Repair:
    name = "repair"

    def __init__(self, db: Database, interval: float = 15.0, started: datetime | None = None) -> None:
        self.interval = interval
        self._db = db
        self._lease = timedelta(seconds=db.rules.run_lease)
        self._judge_from = (started or clock.now()) + self._lease

    def clock_moved(self, now: datetime) -> None:
        """The wall clock was set ahead or back: every live run gets the time of a lease to be heard of under the new one."""
        self._judge_from = now + self._lease

    def run_once(self, now: datetime) -> dict[str, int]:
        """Give back or end silent runs. While runs could not be heard, because we or the server were away, silence proves nothing;
        nor does it while our clock and the server's don't agree."""
        heard = repair.server_heard_at(self._db, presence.NAME)
        if heard is not None and abs((now - heard).total_seconds()) > presence.SILENT_AFTER:
            self._judge_from = now + self._lease
        self._judge_from = min(self._judge_from, now + self._lease)  # it may be of a clock that was set back since
        counts = dict.fromkeys(OUTCOMES.values(), 0)
        if now < self._judge_from:
            return counts
        repair.shorten_leases(self._db, now)
        for flow_run_id in repair.silent_runs(self._db, now):
            crash.point("watch.found")
            self._count(counts, flow_run_id, "was silent", repair.mend_silent(self._db, flow_run_id, now=now))
        for flow_run_id in repair.stuck_runs(self._db, now):
            self._count(counts, flow_run_id, "went no further", repair.mend_stuck(self._db, flow_run_id, now=now))
        return counts

    def _count(self, counts: dict[str, int], flow_run_id: UUID, why: str, became: str | None) -> None:
        if became is not None:
            counts[OUTCOMES[became]] += 1
            log.warning("Run %s %s for too long and is %s now.", flow_run_id, why, became)
