"""What people decide about agents: that one gets no more runs, that it gets some again, and that nobody wants to see it any more."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.kit.plurals import counted
from appliance.server.actions.keyed import keyed
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import agents as reads
from appliance.server.db.reads import flow_runs
from appliance.server.db.rows.agents import AgentRow
from appliance.server.db.session import Database
from appliance.server.db.writes import agents
from appliance.server.domain.agent_states import DRAINS, FORGOTTEN, RESUMES
from appliance.server.domain.waiting import health_of
from appliance.server.errors import Conflict, NotFound
from appliance.server.events.outbox import announce


@keyed("agent.drain")
def drain(db: Database, actor: Actor, agent_id: UUID, *, now: datetime | None = None) -> None:
    """Give the agent no more runs, also after it was started again; those that it has go on. Draining it again changes nothing."""
    with db.write("agent.drain") as session:
        agent = known(session, agent_id)
        if agents.move(session, agent_id, DRAINS):
            announce(session, "agent", agent_id, "agent.drained", {"name": agent.name}, actor, now or clock.now())


@keyed("agent.resume")
def resume(db: Database, actor: Actor, agent_id: UUID, *, now: datetime | None = None) -> None:
    """Give a drained agent runs again. Resuming it again changes nothing."""
    with db.write("agent.resume") as session:
        agent = known(session, agent_id)
        if agents.move(session, agent_id, RESUMES):
            announce(session, "agent", agent_id, "agent.resumed", {"name": agent.name}, actor, now or clock.now())


@keyed("agent.forget")
def forget(db: Database, actor: Actor, agent_id: UUID, *, now: datetime | None = None) -> None:
    """Leave an offline agent out of all lists; if it comes back, it is there again. Raises Conflict while it is there or has runs."""
    now = now or clock.now()
    with db.write("agent.forget") as session:
        agent = reads.get(session, agent_id)
        if agent is not None and agent.state == FORGOTTEN:
            return
        agent = known(session, agent_id)
        if health_of(agent, now) != "offline":
            raise Conflict(f"Agent {agent.name} is not offline; stop it first, and then forget it.")
        running = flow_runs.live_counts_of_agents(session, [agent_id]).get(agent_id, 0)
        if running:
            raise Conflict(f"Agent {agent.name} still has {counted(running, 'run')}; forget it when they have ended.")
        if not agents.forget(session, agent_id, agent.last_seen):
            raise Conflict(f"Agent {agent.name} has just come back; stop it first, and then forget it.")
        announce(session, "agent", agent_id, "agent.forgotten", {"name": agent.name}, actor, now)


def known(session: Session, agent_id: UUID) -> AgentRow:
    """The agent. Raises NotFound."""
    agent = reads.known(session, agent_id)
    if agent is None:
        raise NotFound("There is no such agent; `appliance get agents` lists them.")
    return agent
