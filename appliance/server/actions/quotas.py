"""Holding quotas inside the transaction of an action that creates something."""

from __future__ import annotations

import threading
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.server.db.reads import quotas as reads
from appliance.server.domain.quotas import OPEN_RUNS, Allowance, allowance

_MOST_PROJECTS = 10_000
_allowances: WeakKeyDictionary[object, dict[UUID, Allowance]] = WeakKeyDictionary()
"""What this process may create before it counts again, by database and project."""
_lock = threading.Lock()


def require_open_run(session: Session, project_id: UUID, most: int) -> None:
    """Raise QuotaReached if the project can't have one more run that has not ended."""
    if not take_open_runs(session, project_id, 1, most):
        raise OPEN_RUNS.reached(most)


def take_open_runs(session: Session, project_id: UUID, number: int, most: int) -> int:
    """How many of so many new runs the project may have, of which `most` have not ended. They are to be created in this transaction."""
    if not most:
        return number
    engine = session.get_bind().engine
    with _lock:
        known = _allowances.setdefault(engine, {})
        if project_id in known and known[project_id].take(number, clock.monotonic()):
            return number
    room = max(0, most - reads.open_runs(session, project_id, most))
    fitting = min(number, room)
    with _lock:
        if len(known) >= _MOST_PROJECTS:
            known.clear()
        known[project_id] = allowance(room - fitting, clock.monotonic())
    return fitting
