"""The repair service: detects runs that died with their machine or agent, or that are stuck, and repairs them."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID

from appliance.kit import clock, crash
from appliance.server.actions import lost_agents, presence, repair
from appliance.server.db.reads import readable
from appliance.server.db.session import Database
from appliance.server.domain.presence import patience

log = logging.getLogger(__name__)

OUTCOMES = {"FAILED": "crashed", "CANCELLED": "cancelled", "SCHEDULED": "returned"}
"""The count for each new state type of a repaired run."""
TIMED_OUT = "timed_out"
"""The count of runs that took longer than they may."""


class Repair:
    name = "repair"

    def __init__(self, db: Database, interval: float = 15.0, started: datetime | None = None) -> None:
        self.interval = interval
        self._db = db
        self._lease = timedelta(seconds=db.rules.run_lease)
        self._started = started or clock.now()

    def run_once(self, now: datetime) -> dict[str, int]:
        """Return or end runs that are silent, stuck or overdue, and announce lost agents, once every run has had the length of a lease in which to be heard."""
        counts = dict.fromkeys((*OUTCOMES.values(), TIMED_OUT), 0)
        if not self._could_hear(now):
            return counts
        lost_agents.note(self._db, now)
        repair.shorten_leases(self._db, now)
        for flow_run_id in repair.silent_runs(self._db, now):
            crash.point("watch.found")
            with readable.set_aside():
                self._count(counts, flow_run_id, "was silent", repair.fix_silent(self._db, flow_run_id, now=now))
        for flow_run_id in repair.stuck_runs(self._db, now):
            with readable.set_aside():
                self._count(counts, flow_run_id, "made no progress", repair.fix_stuck(self._db, flow_run_id, now=now))
        for flow_run_id, timeout in repair.overrunning_runs(self._db, now):
            with readable.set_aside():
                if repair.end_overrun(self._db, flow_run_id, timeout, now=now):
                    counts[TIMED_OUT] += 1
                    log.warning("Run %s exceeded its run_timeout of %g s and is now FAILED.", flow_run_id, timeout)
        return counts

    def _could_hear(self, now: datetime) -> bool:
        """Silence proves nothing unless a server was reachable the whole time, and its clock agrees with ours and did not jump. The
        server keeps a record of this, so it outlives this process: the next one to run a round can judge at once."""
        record = repair.server_heard(self._db, presence.NAME)
        if record is None:
            return now - self._started >= self._lease
        since, last = record
        return abs(now - last) <= patience(self._db.rules) and now - since >= self._lease

    def _count(self, counts: dict[str, int], flow_run_id: UUID, why: str, new_type: str | None) -> None:
        if new_type is not None:
            counts[OUTCOMES[new_type]] += 1
            log.warning("Run %s %s for too long and is now %s.", flow_run_id, why, new_type)
