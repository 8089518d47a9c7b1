"""Which agents may get the runs of a flow."""

from __future__ import annotations

from sqlalchemy.orm import Session

from appliance.server.db.reads import agents
from appliance.server.db.rows.agents import AgentRow
from appliance.server.db.tables.flows import FlowVersion


def of(session: Session, project: str, version: FlowVersion) -> list[AgentRow]:
    """Those that have the version's labels and take runs of the project, whether they are online or not."""
    return [
        agent
        for agent in agents.every(session)
        if set(version.labels) <= set(agent.labels) and (not agent.projects or project in agent.projects)
    ]
