"""Runs whose lease ran out: what never began is given back to the agents, what had begun ends."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.server.actions.states import end_attempt, store_state
from appliance.server.auth.identity import SYSTEM, Actor
from appliance.server.db.reads import leases, run_health
from appliance.server.db.retries import retried
from appliance.server.db.rows.flow_runs import FlowRunColumns, LockedRun
from appliance.server.db.session import Database
from appliance.server.db.writes import flow_runs, states
from appliance.server.domain.transitions import LIVE

MOST_RETURNS = 3
"""How often a run that never began is given back; after that something is wrong with it or its agents, and it is Crashed."""
_SLACK = timedelta(seconds=60)
"""By so much the clocks of several servers may differ."""


def silent_runs(db: Database, now: datetime, limit: int = 500) -> list[UUID]:
    """Live runs whose lease is over, longest silent first."""
    with db.read() as session:
        return run_health.expired(session, now, limit)


@retried
def shorten_leases(db: Database, now: datetime) -> int:
    """Leases that end later than any could were given by a clock that was set back since: they end one lease from now."""
    lease = now + timedelta(seconds=db.rules.run_lease)
    with db.read() as session:
        if not run_health.has_lease_after(session, lease + _SLACK):
            return 0
    with db.write("watch.shorten") as session:
        return flow_runs.shorten_leases(session, lease + _SLACK, lease)


@retried
def mend_silent(db: Database, flow_run_id: UUID, *, now: datetime, actor: Actor = SYSTEM) -> str | None:
    """Give a silent run back when it never began, as when the answer to its agent was lost: no code of it has run. End it
    otherwise: Cancelled when that was asked for, else Crashed. The type it has now, or None when it isn't silent any more.
    """
    with db.write("watch") as session:
        run = states.lock(session, flow_run_id)
        if run is None or run.state_type not in LIVE or run.lease_expires_at is None or run.lease_expires_at >= now:
            return None
        gone = f"No word from the run for {db.rules.run_lease:.0f} s; its process or its machine is gone."
        lost = "The agent that took the run was not heard of again; the run waits for another."
        return _mend(session, run, lost, gone, actor, now)


def stuck_runs(db: Database, now: datetime, limit: int = 500) -> list[UUID]:
    """Live runs that are heard of, but have passed a deadline: taken and not begun, or asked to stop and not ended."""
    with db.read() as session:
        return run_health.stuck(session, _ago(now, db.rules.start_deadline), _ago(now, db.rules.stop_deadline), limit)


@retried
def mend_stuck(db: Database, flow_run_id: UUID, *, now: datetime, actor: Actor = SYSTEM) -> str | None:
    """Give a run back that its agent has not begun in time; end one that has not ended in time though it was asked to. Its process
    is refused from now on, and told to end. The type it has now, or None when it isn't stuck any more."""
    with db.write("watch.stuck") as session:
        run = states.lock(session, flow_run_id)
        seconds = {"PENDING": db.rules.start_deadline, "CANCELLING": db.rules.stop_deadline}
        if run is None or run.state_type not in seconds or run.state_at >= _ago(now, seconds[run.state_type]):
            return None
        words = f"The agent that took the run has not begun it within {seconds[run.state_type]:.0f} s"
        return _mend(session, run, f"{words}; the run waits for another.", f"{words}.", actor, now)


def _ago(now: datetime, seconds: float) -> datetime:
    return now - timedelta(seconds=seconds)


def _mend(session: Session, run: LockedRun, lost: str, gone: str, actor: Actor, now: datetime) -> str:
    """Give back what never began, with the message `lost`; end what did, or was given back too often, with `gone`."""
    if run.state_type == "PENDING" and run.times_resurrected < MOST_RETURNS:
        _give_back(session, run, lost, actor, now)
        return "SCHEDULED"
    return end_attempt(session, run, gone, None, actor, now)


def _give_back(session: Session, run: LockedRun, message: str, actor: Actor, now: datetime) -> None:
    """Due again for any agent. The attempt that was lost can't begin any more: the run is not Pending, and its token is gone."""
    extra: FlowRunColumns = {
        "agent_id": None,
        "lease_expires_at": None,
        "run_token_hash": None,
        "times_resurrected": run.times_resurrected + 1,
    }
    store_state(session, run, "SCHEDULED", "Scheduled", message, None, actor, now, extra)


def server_heard(db: Database, name: str) -> tuple[datetime, datetime] | None:
    """From when to when server processes have said without a break that they take requests; None when none ever did."""
    with db.read() as session:
        row = leases.get(session, name)
    if row is None or row.last_run_at is None:
        return None
    return row.since or row.last_run_at, row.last_run_at
