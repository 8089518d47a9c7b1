"""Which agents may get the runs of a flow."""

from __future__ import annotations

from sqlalchemy.orm import Session

from appliance.kit.documents import JsonDocument
from appliance.protocol.run_config import kind_of
from appliance.server.db.reads import agents
from appliance.server.db.rows.agents import AgentRow
from appliance.server.domain import hosts
from appliance.server.domain.waiting import kinds_started, storages_known


def of(session: Session, project: str, storage_type: str, labels: list[str], config: JsonDocument) -> list[AgentRow]:
    """Those that have the labels, take runs of the project, start such runs, and know the storage, whether they are online or not."""
    every = agents.every(session)
    needed = hosts.needed(labels, [agent.host for agent in every])
    return [
        agent
        for agent in every
        if needed <= set(hosts.with_host(agent.labels, agent.host))
        and (not agent.projects or project in agent.projects)
        and kind_of(config) in kinds_started(agent)
        and storage_type in storages_known(agent)
    ]


def has_host(session: Session, project: str, host: str) -> bool:
    """Whether an agent of this host is known that takes runs of the project."""
    return any(
        agent.host == host and (not agent.projects or project in agent.projects) for agent in agents.every(session)
    )
