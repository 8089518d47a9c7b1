"""Ending runs whose lease ran out: nobody has heard of their process for too long."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from appliance.server.actions.endings import end_attempt
from appliance.server.auth.identity import SYSTEM, Actor
from appliance.server.db.session import Database
from appliance.server.db.writes import flow_runs, leases, states
from appliance.server.domain.transitions import LIVE


def silent_runs(db: Database, now: datetime, limit: int = 500) -> list[UUID]:
    """Live runs whose lease is over, longest silent first."""
    with db.read() as session:
        return flow_runs.expired(session, now, limit)


def end_silent(db: Database, flow_run_id: UUID, *, now: datetime, actor: Actor = SYSTEM) -> str | None:
    """End the run if it is still silent: Cancelled when that was asked for, else Crashed. The type it ended in, or None."""
    with db.write() as session:
        run = states.lock(session, flow_run_id)
        if run is None or run.state_type not in LIVE or run.lease_expires_at is None or run.lease_expires_at >= now:
            return None
        message = f"No word from the run for {db.rules.run_lease:.0f} s; its process or its machine is gone."
        return end_attempt(session, run, message, None, actor, now)


def server_heard_at(db: Database, name: str) -> datetime | None:
    """When a server process last said that it takes requests; None when none ever did."""
    with db.read() as session:
        row = leases.find(session, name)
    return None if row is None else row.last_run_at
