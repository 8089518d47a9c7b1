"""The runs that agents hold now, and those that ended with them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import cast
from uuid import UUID

from sqlalchemy import bindparam, func, select, text
from sqlalchemy.orm import Session

from appliance.server.db.conditions import LIVE_NOW
from appliance.server.db.prepared import Prepared
from appliance.server.db.reads import flow_runs, readable
from appliance.server.db.rows.agents import AgentHolding
from appliance.server.db.rows.flow_runs import FlowRunRow
from appliance.server.db.tables import metadata

_run = metadata.tables["flow_run"]
_flow = metadata.tables["flow"]
_project = metadata.tables["project"]
MOST_HELD, MOST_ENDED = 50, 20
LOOKED_AT = 2_000
"""How many runs that ended last, with any agent, are looked at: no index has those of one agent by time."""
_HELD = Prepared(
    select(
        _run.c.agent_id,
        _run.c.id,
        _run.c.name,
        _project.c.name.label("project"),
        _flow.c.name.label("flow"),
        func.coalesce(_run.c.start_time, _run.c.state_at).label("since"),
    )
    .join(_flow, _flow.c.id == _run.c.flow_id)
    .join(_project, _project.c.id == _flow.c.project_id)
    .where(LIVE_NOW)
    .order_by(func.coalesce(_run.c.start_time, _run.c.state_at), _run.c.id)
)
_LAST = (
    select(_run.c.id, _run.c.agent_id, _run.c.end_time)
    .where(text("flow_run.end_time is not null"))
    .order_by(_run.c.end_time.desc(), _run.c.id.desc())
    .limit(LOOKED_AT)
    .subquery()
)
_ENDED = Prepared(
    select(_LAST.c.id)
    .where(_LAST.c.agent_id == bindparam("agent"))
    .order_by(_LAST.c.end_time.desc(), _LAST.c.id.desc())
    .limit(MOST_ENDED)
)


def held(session: Session, agent_ids: Collection[UUID]) -> dict[UUID, list[AgentHolding]]:
    """What each agent holds now, the longest held first, at most 50. Reads all live runs, as flow_runs.live_counts_of_agents does."""
    by_agent: dict[UUID, list[AgentHolding]] = {agent_id: [] for agent_id in agent_ids}
    for row in cast(Sequence[AgentHolding], readable.every(session, _HELD)):
        if row.agent_id in by_agent and len(by_agent[row.agent_id]) < MOST_HELD:
            by_agent[row.agent_id].append(row)
    return by_agent


def ended(session: Session, agent_id: UUID) -> list[FlowRunRow]:
    """Up to 20 runs that ended with this agent, the last first, among the 2,000 that ended last."""
    return in_order(session, readable.scalars(session, _ENDED, {"agent": agent_id}))


def in_order(session: Session, ids: Sequence[UUID]) -> list[FlowRunRow]:
    """The runs with these ids, in this order."""
    rows = {row.id: row for row in flow_runs.by_ids(session, ids)}
    return [rows[run_id] for run_id in ids if run_id in rows]
