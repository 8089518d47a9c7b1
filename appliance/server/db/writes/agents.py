"""Writing agents."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from appliance.server.db.rows.agents import NewAgent
from appliance.server.db.tables.agents import Agent
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.tables.projects import Project

_agents = table(Agent)
_runs = table(FlowRun)
_versions = table(FlowVersion)
_flows = table(Flow)
_projects = table(Project)
_UPDATED = frozenset(("type", "labels", "capacity", "version", "host", "last_seen"))
"""The columns that change when an agent enrols again."""
_TOUCH = (
    update(_agents)
    .where(_agents.c.id == bindparam("agent"))
    .values(last_seen=bindparam("now"), labels=bindparam("now_labels"))
)


def enrol(session: Session, row: NewAgent) -> UUID:
    """Insert the agent, or update the one with the same name; return its id."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    updated = {key: value for key, value in row.items() if key in _UPDATED}
    statement = insert(_agents).values(row).on_conflict_do_update(index_elements=["name"], set_=updated)
    id: UUID = session.connection().execute(statement.returning(_agents.c.id)).scalar_one()
    return id


def touch(session: Session, agent_id: UUID, labels: list[str], now: datetime) -> None:
    """Record when the agent was last heard from, and its current labels."""
    session.connection().execute(_TOUCH, {"agent": agent_id, "now": now, "now_labels": labels})
