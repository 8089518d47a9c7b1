"""Notes with a crash that it is the last of several in a row, in the transaction that stores it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from appliance.protocol.state_change import StateChange
from appliance.server.db.reads import run_health
from appliance.server.db.rows.events import MoreNews
from appliance.server.db.rows.flow_runs import LockedRun
from appliance.server.domain import crash_loops as rules


def news(session: Session, run: LockedRun, change: StateChange) -> MoreNews:
    """What the event of a stored state says beside it."""
    if not rules.is_crash(change.name):
        return {}
    of_flow = run_health.last_ends(session, run.flow_id, rules.LENGTH + 1)
    is_among_them = run.id in [end.id for end in of_flow[: rules.LENGTH]]
    of_run = run_health.last_ends_of(session, run.id, rules.LENGTH + 1)
    reason = rules.reason([end.state_name for end in of_flow] if is_among_them else [], of_run, run.times_resurrected)
    return {"also": "run.crash_loop", "reason": reason} if reason else {}
