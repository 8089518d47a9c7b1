"""Which agents may get the runs of a flow."""

from __future__ import annotations

from sqlalchemy.orm import Session

from appliance.server.db.reads import agents
from appliance.server.db.rows.agents import AgentRow
from appliance.server.db.tables.flows import FlowVersion
from appliance.server.domain import hosts


def of(session: Session, project: str, version: FlowVersion) -> list[AgentRow]:
    """Those that have the version's labels and take runs of the project, whether they are online or not."""
    every = agents.every(session)
    needed = hosts.needed(version.labels, [agent.host for agent in every])
    return [
        agent
        for agent in every
        if needed <= set(hosts.with_host(agent.labels, agent.host))
        and (not agent.projects or project in agent.projects)
    ]


def has_host(session: Session, project: str, host: str) -> bool:
    """Whether an agent of this host is known that takes runs of the project."""
    return any(
        agent.host == host and (not agent.projects or project in agent.projects) for agent in agents.every(session)
    )
