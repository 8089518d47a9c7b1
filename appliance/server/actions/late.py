"""Runs that have not started though they are due: called Late, so that lists, filters and whoever listens see it."""

from __future__ import annotations

from datetime import datetime, timedelta

from appliance.server.auth.identity import SYSTEM
from appliance.server.db.reads import run_health
from appliance.server.db.retries import retried
from appliance.server.db.rows.events import StateNews
from appliance.server.db.session import Database
from appliance.server.db.writes import flow_runs, states
from appliance.server.events.outbox import announce_all

BATCH = 500


@retried
def mark_late(db: Database, now: datetime) -> int:
    """Call up to 500 runs Late that are overdue for longer than the setting; how many. They can start as before."""
    if db.rules.late_after == 0:
        return 0
    before = now - timedelta(seconds=db.rules.late_after)
    with db.read() as session:  # nearly always there is none: that costs the writers nothing
        if not run_health.waits_since(session, before):
            return 0
    message = f"It has not started {db.rules.late_after:g} s after its time."
    with db.write("late") as session:
        found = flow_runs.become_late(session, before, message, now, BATCH)
        states.add(
            session,
            [
                states.row(run.id, run.version, run.attempt, "SCHEDULED", "Late", now, SYSTEM.name, message)
                for run in found
            ],
        )
        told = [(run.id, StateNews(type="SCHEDULED", name="Late", version=run.version)) for run in found]
        announce_all(session, "flow_run", "flow_run.state", told, SYSTEM, now)
    return len(found)
