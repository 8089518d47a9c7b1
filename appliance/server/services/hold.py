"""The hold service: when the services come back after an outage and very many runs are overdue, it holds those."""

from __future__ import annotations

import logging
from datetime import datetime

from appliance.server.actions import hold, leases
from appliance.server.db.session import Database

log = logging.getLogger(__name__)

OUTAGE = 60.0
"""Seconds without a round after which the services count as having been away."""
WATCHED = 60.0
"""Seconds after the return in which runs that came due before it may still appear: the scheduler makes up for what it missed."""


class Hold:
    name = "hold"

    def __init__(self, db: Database, above: int, interval: float = 5.0) -> None:
        self.interval = interval
        self._db = db
        self._above = above
        self._back: datetime | None = None

    def run_once(self, now: datetime) -> dict[str, int]:
        """Notice the return from an outage, then look for a minute whether too many runs are overdue since before it."""
        lease = leases.find(self._db, self.name)
        before = None if lease is None else lease.last_run_at
        if before is not None and (now - before).total_seconds() > OUTAGE:
            self._back = now
        counts = {"held": 0}
        if self._above == 0 or self._back is None:
            return counts
        if (now - self._back).total_seconds() > WATCHED:
            self._back = None
            return counts
        held = hold.begin_if_many(self._db, self._back, self._above, now=now)
        if held is not None:
            self._back = None
            counts["held"] = held
            log.warning(
                "After an outage %s runs or more are overdue; they are held. `appliance hold` shows them.", held
            )
        return counts
