"""The hold service: if too many runs are overdue when the services return after an outage, it holds them."""

from __future__ import annotations

import logging
from datetime import datetime

from appliance.kit.plurals import counted
from appliance.server.actions import hold, leases
from appliance.server.db.session import Database

log = logging.getLogger(__name__)

OUTAGE = 60.0
"""Seconds without a round that count as an outage."""
WATCHED = 60.0
"""Seconds after the return during which runs that were due before it may still appear, because the scheduler is catching up."""


class Hold:
    name = "hold"

    def __init__(self, db: Database, above: int, interval: float = 5.0) -> None:
        self.interval = interval
        self._db = db
        self._above = above
        self._back: datetime | None = None

    def run_once(self, now: datetime) -> dict[str, int]:
        """Detect the return from an outage, then check for a minute whether too many runs were due before it."""
        lease = leases.find(self._db, self.name)
        before = None if lease is None else lease.last_run_at
        if before is not None and (now - before).total_seconds() > OUTAGE:
            self._back = now
        counts = {"held": 0}
        if self._above == 0 or self._back is None or hold.must_wait(self._db, now):
            return counts
        runs = hold.begin_if_many(self._db, self._back, self._above, now=now)
        if runs is not None or (now - self._back).total_seconds() > WATCHED:
            self._back = None
        if runs is not None:
            counts["held"] = runs
            log.warning("Overdue after an outage and held: at least %s; see `appliance hold`.", counted(runs, "run"))
        return counts
