"""The scheduler: every active schedule has its next runs, exactly one per due time, whatever crashes and however many of us work."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from appliance.kit import clock, crash
from appliance.server.actions import overlaps, schedules
from appliance.server.db.session import Database

log = logging.getLogger(__name__)

_AT_ONCE = 100
"""Schedules in one transaction: many share the cost of a commit, and others still get their turn at the database."""
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
        """Plan for each schedule whose next look is due, many in one transaction; where that fails, one by one, so that one that
        fails holds up no other."""
        counts = {"schedules": 0, "created": 0, "missed": 0, "malformed": 0, "failed": 0, "moved": 0}
        counts["moved"] = self._move(now)
        crash.point("sched.tick.begin")
        waiting = schedules.to_plan(self._db, now)
        for start in range(0, len(waiting), _AT_ONCE):
            batch = waiting[start : start + _AT_ONCE]
            if not self._plan(batch, now, counts) and len(batch) > 1:
                counts["failed"] -= 1
                for schedule_id in batch:
                    self._plan([schedule_id], now, counts)
        return counts | overlaps.settle(self._db, now)

    def _move(self, now: datetime) -> int:
        """Plan anew what isn't due any more. The rules of time zones change with the machine's software, so only while nobody runs. A
        clock that was set back leaves runs too far ahead, perhaps of another process: looked for when ours has been steady for a while.
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
        found = schedules.out_of_date(self._db, now, steady=steady)
        return sum(schedules.move_planned(self._db, id, now=now) for id in found)

    def _plan(self, ids: list[UUID], now: datetime, counts: dict[str, int]) -> bool:
        try:
            planned = schedules.keep_ahead(self._db, ids, now=now)
        except SQLAlchemyError:
            log.exception("%d schedules can't be planned and are tried again, the first is %s.", len(ids), ids[0])
            counts["failed"] += 1
            return False
        for name in ("schedules", "created", "missed", "malformed"):
            counts[name] += getattr(planned, name)
        if planned.malformed:
            log.warning("%d schedules can't be computed and were switched off.", planned.malformed)
        return True
