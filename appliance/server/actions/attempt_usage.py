"""Keeps what an attempt has used, inside the action that takes the report of its end."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from appliance.protocol.agents import Exited
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import attempt_usage as read_usage
from appliance.server.db.reads import states
from appliance.server.db.rows.agents import AgentRow
from appliance.server.db.rows.flow_runs import LockedRun
from appliance.server.db.writes import attempt_usage
from appliance.server.domain.attempt_usage import RunUsage, added, measured
from appliance.server.errors import DamagedRow
from appliance.server.events.outbox import announce


def record(
    session: Session, agent: AgentRow, run: LockedRun, exit: Exited, is_held: bool, actor: Actor, now: datetime
) -> None:
    """Keep it beside that of other attempts, once. Of an attempt that is not the run's any more, because it ended by handing the run back, or was
    replaced, it is kept only if this agent had taken it."""
    used = measured(exit.attempt, exit.cpu_seconds, exit.peak_memory)
    if used is None or not (is_held or _was_taken(session, agent, run, exit.attempt)):
        return
    try:
        row = read_usage.of_run(session, run.id)
    except DamagedRow:  # the end of the run matters more
        return
    whole = None if row is None else added(RunUsage(row.attempt_usage or [], row.cpu_seconds, row.peak_memory), used)
    if whole is not None:
        attempt_usage.store(session, run.id, whole)
        news = {"cpu_seconds": used.cpu_seconds, "peak_memory": used.peak_memory}
        announce(session, "flow_run", run.id, "flow_run.usage", news, actor, now)


def _was_taken(session: Session, agent: AgentRow, run: LockedRun, attempt: int) -> bool:
    return states.origins(session, run.id).get(attempt, {}).get("agent") == agent.name
