"""Repairing live runs that are silent, stuck or overdue: the rules of `domain/repair.py` on what the database holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.server.actions.states import apply_remedy
from appliance.server.auth.identity import SYSTEM, Actor
from appliance.server.db.reads import leases, run_health
from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.writes import flow_runs, states
from appliance.server.domain import repair as rules
from appliance.server.domain.repair import Remedy, WatchedRun
from appliance.server.domain.rules import Rules
from appliance.server.domain.run_timeouts import run_timeout

_SLACK = timedelta(seconds=60)
"""How far the clocks of several servers may be apart."""


def silent_runs(db: Database, now: datetime, limit: int = 500) -> list[UUID]:
    """Live runs whose lease is over, longest silent first."""
    with db.read() as session:
        return run_health.expired(session, now, limit)


@retried
def shorten_leases(db: Database, now: datetime) -> int:
    """Leases that end later than any can come from a clock that was set back since: they end one lease from now."""
    lease = now + timedelta(seconds=db.rules.run_lease)
    with db.read() as session:
        if not run_health.has_lease_after(session, lease + _SLACK):
            return 0
    with db.write("watch.shorten") as session:
        return flow_runs.shorten_leases(session, lease + _SLACK, lease)


@retried
def fix_silent(db: Database, flow_run_id: UUID, *, now: datetime, actor: Actor = SYSTEM) -> str | None:
    """Give a silent run back when it never began, as when the answer to its agent was lost: no code of it has run. Otherwise end
    it: Cancelled when it was asked to stop, else Crashed. The type it has now, or None when it isn't silent any more."""
    with db.write("watch") as session:
        return _fix(session, flow_run_id, rules.silent, db.rules, actor, now)


def stuck_runs(db: Database, now: datetime, limit: int = 500) -> list[UUID]:
    """Live runs that are heard from, but have passed a deadline: taken and not started, or asked to stop and not ended."""
    with db.read() as session:
        return run_health.stuck(session, _ago(now, db.rules.start_deadline), _ago(now, db.rules.stop_deadline), limit)


@retried
def fix_stuck(db: Database, flow_run_id: UUID, *, now: datetime, actor: Actor = SYSTEM) -> str | None:
    """Give a run back that its agent has not started in time; end one that has not ended in time though it was asked to. Its
    process is refused from now on, and asked to end. The type it has now, or None when it isn't stuck any more."""
    with db.write("watch.stuck") as session:
        return _fix(session, flow_run_id, rules.stuck, db.rules, actor, now)


def overrunning_runs(db: Database, now: datetime) -> list[tuple[UUID, float]]:
    """Runs that have been running for longer than they may, and how many seconds that was."""
    with db.read() as session:
        rows = run_health.running(session, now)
    overdue = []
    for row in rows:
        seconds = run_timeout(row.settings, row.run_config, db.rules.run_timeout).seconds
        if seconds is not None and row.start_time + timedelta(seconds=seconds) <= now:
            overdue.append((row.id, seconds))
    return overdue


@retried
def end_overrun(db: Database, flow_run_id: UUID, timeout: float, *, now: datetime, actor: Actor = SYSTEM) -> bool:
    """End a run TimedOut; its agent kills its process. False if it has just ended, or begun again."""
    with db.write("watch.overrun") as session:
        run = states.lock(session, flow_run_id)
        remedy = None if run is None else rules.overran(run, timeout, now)
        if run is None or remedy is None:
            return False
        apply_remedy(session, run, remedy, actor)
        return True


def _ago(now: datetime, seconds: float) -> datetime:
    return now - timedelta(seconds=seconds)


def _fix(
    session: Session,
    flow_run_id: UUID,
    diagnose: Callable[[WatchedRun, Rules, datetime], Remedy | None],
    limits: Rules,
    actor: Actor,
    now: datetime,
) -> str | None:
    run = states.lock(session, flow_run_id)
    remedy = None if run is None else diagnose(run, limits, now)
    if run is None or remedy is None:
        return None
    apply_remedy(session, run, remedy, actor)
    return remedy.change.type


def server_heard(db: Database, name: str) -> tuple[datetime, datetime] | None:
    """From when to when server processes have reported without a break that they accept requests; None when none ever did."""
    with db.read() as session:
        row = leases.get(session, name)
    if row is None or row.last_run_at is None:
        return None
    return row.since or row.last_run_at, row.last_run_at
