"""Which agents may get the runs of a flow, and which runs an agent may get."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from appliance.kit.documents import JsonDocument
from appliance.protocol.run_config import kind_of
from appliance.server.db.reads import agent_runs, agents, dispatch
from appliance.server.db.reads.dispatch import Taker
from appliance.server.db.rows.agents import AgentRow
from appliance.server.db.rows.flow_runs import FlowRunRow
from appliance.server.domain import continuation, hosts
from appliance.server.domain.waiting import kinds_started, provided_by, pythons_of, storages_known

MOST_WAITING = 20


@dataclass(frozen=True)
class AgentRuns:
    """The runs of an agent: those that it has, the due ones that it would take, and the last ones that ended with it."""

    live: list[FlowRunRow]
    waiting: list[FlowRunRow]
    ended: list[FlowRunRow]


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


def taker_of(agent: AgentRow, labels: Collection[str]) -> Taker:
    """What decides which runs the agent gets if it has these labels."""
    provided = provided_by(agent)
    return Taker(
        hosts.with_host(labels, agent.host),
        agent.projects,
        kinds_started(agent),
        storages_known(agent),
        continuation.places_of(agent),
        None if provided is None else provided.users,
        None if provided is None else pythons_of(provided),
        continuation.origin_of(agent),
    )


def runs_of(session: Session, agent: AgentRow, now: datetime) -> AgentRuns:
    """At most 50 that it has, 20 that wait, and 20 that ended."""
    held = [run.id for run in agent_runs.held(session, [agent.id])[agent.id]]
    waiting = dispatch.due_for(session, taker_of(agent, agent.labels), now, MOST_WAITING)
    return AgentRuns(
        agent_runs.in_order(session, held),
        agent_runs.in_order(session, waiting),
        agent_runs.ended(session, agent.id),
    )
