"""The job service: goes on with bulk actions and backfills, a step of each in turn, whoever began them and whatever crashed."""

from __future__ import annotations

import logging
from collections import deque
from datetime import datetime
from uuid import UUID

from appliance.kit import clock
from appliance.server.actions import jobs
from appliance.server.db.session import Database
from appliance.server.errors import ServerError

log = logging.getLogger(__name__)

_LONGEST_ROUND = 5.0
"""Seconds after which a round ends, so that the lease is renewed in time."""


class Jobs:
    name = "jobs"

    def __init__(self, db: Database, interval: float = 5.0) -> None:
        self.interval = interval
        self._db = db

    def run_once(self, now: datetime) -> dict[str, int]:
        """Do steps of all jobs until each is over or has to wait, or the round has lasted long enough."""
        counts = {"steps": 0, "over": 0, "failed": 0, "forgotten": jobs.forget_old(self._db, now)}
        queue = deque(jobs.unfinished(self._db))
        deadline = clock.monotonic() + _LONGEST_ROUND
        while queue and clock.monotonic() < deadline:
            job_id = queue.popleft()
            after = self._step(job_id, now)
            counts["steps"] += after != "waiting"
            counts["over"] += after == "over"
            counts["failed"] += after == "failed"
            if after == "more":
                queue.append(job_id)
        return counts

    def _step(self, job_id: UUID, now: datetime) -> str:
        try:
            return jobs.step(self._db, job_id, now)
        except ServerError:
            raise  # the database is away or busy: the round is tried again
        except Exception as error:  # a job that can't go on steps aside and is shown; the others go on
            log.exception("The job %s failed.", job_id)
            jobs.fail(self._db, job_id, f"The job failed by an error of its own: {type(error).__name__}.", now=now)
            return "failed"
