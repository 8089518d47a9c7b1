"""The scheduler: keeps the next runs of every active schedule, exactly one per due time, despite crashes and concurrent processes."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from appliance.kit import clock, crash
from appliance.kit.plurals import counted
from appliance.server.actions import outages, overlaps, schedules
from appliance.server.db.reads import readable
from appliance.server.db.session import Database
from appliance.server.errors import DamagedRow

log = logging.getLogger(__name__)

_AT_ONCE = 100
"""Schedules per transaction: enough to share the cost of a commit, few enough to leave others a turn at the database."""
_ABSENT = 60.0  # seconds without a round, after which another process may have done the work
_STEADY = timedelta(seconds=60)


class Scheduler:
    name = "scheduler"

    def __init__(self, db: Database, interval: float = 5.0) -> None:
        self.interval = interval
        self._db = db
        self._last: tuple[datetime, float] | None = None
        self._unsteady_since: datetime | None = None

    def run_once(self, now: datetime) -> dict[str, int]:
        """Plan the schedules that are due for planning, many per transaction. If that fails, plan them one by one, so that a failing
        one doesn't block the others."""
        counts = {"schedules": 0, "created": 0, "missed": 0, "malformed": 0, "failed": 0, "moved": 0}
        counts["moved"] = self._move(now)
        crash.point("sched.tick.begin")
        outage, affected = outages.unsettled(self._db, now)
        waiting = list(dict.fromkeys([*schedules.to_plan(self._db, now), *affected]))
        for start in range(0, len(waiting), _AT_ONCE):
            batch = waiting[start : start + _AT_ONCE]
            if not self._plan(batch, now, counts) and len(batch) > 1:
                counts["failed"] -= 1
                for schedule_id in batch:
                    self._plan([schedule_id], now, counts)
        if outage is not None and not counts["failed"]:
            outages.settle(self._db, outage, now)
        return counts | overlaps.settle(self._db, now)

    def _move(self, now: datetime) -> int:
        """Replan runs whose time is no longer a due time. Time zone rules change only with a software update, so check at startup. A
        clock that was set back leaves runs too far ahead, perhaps another process's: check once the clock has been steady for a while.
        """
        before, self._last = self._last, (now, clock.monotonic())
        fresh = before is None
        if before is None or now < before[0] or self._last[1] - before[1] > _ABSENT:
            self._unsteady_since = now
        steady = self._unsteady_since is not None and now - self._unsteady_since >= _STEADY
        if not (fresh or steady):
            return 0
        if steady:
            self._unsteady_since = None
        outdated = schedules.out_of_date(self._db, now, steady=steady)
        moved = 0
        for schedule_id in outdated:
            with readable.set_aside():
                moved += schedules.move_planned(self._db, schedule_id, now=now)
        return moved

    def _plan(self, ids: list[UUID], now: datetime, counts: dict[str, int]) -> bool:
        try:
            planned = schedules.keep_ahead(self._db, ids, now=now)
        except (SQLAlchemyError, DamagedRow):
            log.exception("Can't plan %s, beginning with %s; retrying.", counted(len(ids), "schedule"), ids[0])
            counts["failed"] += 1
            return False
        for name in ("schedules", "created", "missed", "malformed"):
            counts[name] += getattr(planned, name)
        return True
