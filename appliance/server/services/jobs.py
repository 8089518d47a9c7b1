"""The job service: advances bulk actions and backfills, one step each in turn, no matter which process began them or crashed."""

from __future__ import annotations

import logging
from collections import deque
from datetime import datetime
from uuid import UUID

from appliance.kit import clock
from appliance.server.actions import jobs
from appliance.server.db.reads import readable
from appliance.server.db.session import Database
from appliance.server.errors import DamagedRow, ServerError

log = logging.getLogger(__name__)

_LONGEST_ROUND = 5.0
"""Seconds after which a round ends, so that its lease is renewed in time."""


class Jobs:
    name = "jobs"

    def __init__(self, db: Database, interval: float = 5.0) -> None:
        self.interval = interval
        self._db = db

    def run_once(self, now: datetime) -> dict[str, int]:
        """Advance all jobs until each is over or has to wait, or the round has taken long enough."""
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
        except DamagedRow as error:
            with readable.set_aside():  # unless it is the job itself that is damaged
                jobs.fail(self._db, job_id, error.message, now=now)
            return "failed"
        except ServerError:
            raise  # the database is down or busy: the next round retries
        except Exception as error:  # mark the job as failed, so that it doesn't block the others
            log.exception("The job %s failed.", job_id)
            message = f"The job failed with an internal error ({type(error).__name__}); see the log of the services."
            jobs.fail(self._db, job_id, message, now=now)
            return "failed"
