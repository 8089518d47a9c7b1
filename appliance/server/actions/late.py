"""Runs that have not started though they are due: marked Late, so that lists, filters and notifications show it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.server.actions.states import record_bulk
from appliance.server.auth.identity import SYSTEM
from appliance.server.db.reads import flow_runs as read_runs
from appliance.server.db.reads import run_health, waiting
from appliance.server.db.retries import retried
from appliance.server.db.rows.events import MoreNews
from appliance.server.db.rows.flow_runs import LateRun
from appliance.server.db.session import Database
from appliance.server.db.writes import flow_runs
from appliance.server.domain.automations import LATE_FOR
from appliance.server.domain.transitions import LATE

BATCH = 500


@retried
def mark_late(db: Database, now: datetime) -> int:
    """Mark up to 500 runs Late that are overdue for longer than the setting; how many. They can start as before."""
    if db.rules.late_after == 0:
        return 0
    before = now - timedelta(seconds=db.rules.late_after)
    with db.read() as session:  # there is hardly ever one: writers need not wait for this look
        if not run_health.any_waiting_since(session, before):
            return 0
    message = f"The run had not started {db.rules.late_after:g} s after it was due."
    with db.write("late") as session:
        late = flow_runs.become_late(session, before, message, now, BATCH)
        record_bulk(session, LATE, late, SYSTEM, now, message, news=_news(session, late, now))
    return len(late)


def _news(session: Session, late: Sequence[LateRun], now: datetime) -> dict[UUID, MoreNews]:
    """Why each has not started, which is what automations may wait for."""
    reasons = waiting.reasons(session, read_runs.by_ids(session, [run.id for run in late]), now)
    news: dict[UUID, MoreNews] = {}
    for id, why in reasons.items():
        news[id] = {"reason": why.sentence}
        if why.code in LATE_FOR:
            news[id]["also"] = LATE_FOR[why.code]
    return news
