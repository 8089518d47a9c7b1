"""The scheduler: every active schedule has its next runs, exactly one per due time, whatever crashes and however many of us work."""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from appliance.server.actions import overlaps, schedules
from appliance.server.db.session import Database

log = logging.getLogger(__name__)


class Scheduler:
    name = "scheduler"

    def __init__(self, db: Database, interval: float = 5.0) -> None:
        self.interval = interval
        self._db = db

    def run_once(self, now: datetime) -> dict[str, int]:
        """Plan for each schedule that lacks runs, one transaction each, so that one that fails holds up no other."""
        counts = {"schedules": 0, "created": 0, "missed": 0, "malformed": 0, "failed": 0}
        for schedule_id in schedules.needing_runs(self._db, now):
            try:
                planned = schedules.keep_ahead(self._db, schedule_id, now=now)
            except SQLAlchemyError:
                log.exception("Schedule %s can't be planned and is tried again.", schedule_id)
                counts["failed"] += 1
                continue
            counts["schedules"] += 1
            counts["created"] += planned.created
            counts["missed"] += planned.missed
            if planned.malformed:
                log.warning("Schedule %s can't be computed and was switched off.", schedule_id)
                counts["malformed"] += 1
        return counts | overlaps.settle(self._db, now)
