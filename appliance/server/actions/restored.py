"""The first start of a database that is a copy: nothing runs that was due before, because it may have run since the copy was made."""

from __future__ import annotations

import logging
from datetime import datetime
from uuid import UUID

from appliance.protocol.flow_runs import ChangeFlowRun
from appliance.server.actions import deliveries, jobs
from appliance.server.actions.flow_runs.cancel import change as cancel
from appliance.server.actions.planning import plan_runs
from appliance.server.actions.states import change_state, facts_of
from appliance.server.auth.identity import SYSTEM
from appliance.server.db.backups import COPIED
from appliance.server.db.reads import dispatch, schedules
from appliance.server.db.reads import settings as read_settings
from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.writes import schedules as write_schedules
from appliance.server.db.writes import settings as write_settings
from appliance.server.db.writes import states
from appliance.server.domain.scheduling import CatchUp
from appliance.server.domain.transitions import Accept
from appliance.server.domain.verbs import may
from appliance.server.errors import Conflict

log = logging.getLogger(__name__)

_BATCH = 200
_FIRST = UUID(int=0)


def settle(db: Database, now: datetime) -> dict[str, int] | None:
    """End what was due in the past: runs that had not begun, due times of schedules, unfinished jobs. How many of each; None if the
    database is no copy, or was settled before. A start that is killed in between begins again."""
    with db.read() as session:
        made = read_settings.get(session, COPIED)
    if made is None:
        return None
    message = f"Not started: it was due before the database was restored from the backup of {made}."
    deliveries.settle_restored(db, made, now)
    counts = {"runs": _end_runs(db, message, now), "due_times": _skip_due_times(db, now), "jobs": 0}
    for job in jobs.unfinished(db):
        counts["jobs"] += _end_job(db, job, now)
    _forget(db)
    log.warning(
        "The database was restored from the backup of %s. Nothing that was due since then is started: runs %d, due times %d, jobs %d.",
        made, counts["runs"], counts["due_times"], counts["jobs"],
    )  # fmt: skip
    return counts


def _end_runs(db: Database, message: str, now: datetime) -> int:
    ended, after = 0, _FIRST
    while True:
        with db.read() as session:
            batch = dispatch.not_begun(session, now, after, _BATCH)
        if not batch:
            return ended
        ended += _end_batch(db, batch, message, now)
        after = batch[-1]


@retried
def _end_batch(db: Database, batch: list[UUID], message: str, now: datetime) -> int:
    ended = 0
    with db.write("restored.runs") as session:
        for id in batch:
            run = states.lock(session, id)
            if run is None:
                continue
            verdict = may("skip", facts_of(run))
            if isinstance(verdict, Accept):
                change_state(session, run, verdict.change(now, message), SYSTEM)
            else:  # an agent had claimed it
                cancel(SYSTEM, ChangeFlowRun(reason=message))(session, run, now)
            ended += 1
    return ended


def _skip_due_times(db: Database, now: datetime) -> int:
    skipped, after = 0, _FIRST
    while True:
        with db.read() as session:
            batch = schedules.behind(session, now, after, _BATCH)
        if not batch:
            return skipped
        skipped += _skip_batch(db, batch, now)
        after = batch[-1]


@retried
def _skip_batch(db: Database, batch: list[UUID], now: datetime) -> int:
    with db.write("restored.schedules") as session:
        due = write_schedules.lock_active(session, batch)
        return plan_runs(session, due, SYSTEM, now, db.rules.scheduled_runs_ahead, CatchUp("none")).missed


def _end_job(db: Database, job: UUID, now: datetime) -> int:
    try:
        jobs.cancel(db, SYSTEM, job, "The database was restored from a backup.", now=now)
    except Conflict:  # it has ended
        return 0
    return 1


@retried
def _forget(db: Database) -> None:
    with db.write("restored.settled") as session:
        write_settings.remove(session, COPIED)
