"""Queries and mutations about agents."""

from __future__ import annotations

from uuid import UUID

import strawberry

from appliance.server.actions import agent_match, agent_states, takers
from appliance.server.auth.guards import Permission
from appliance.server.db.reads import agents
from appliance.server.graphql.context import Info
from appliance.server.graphql.fields import root_field, root_mutation
from appliance.server.graphql.types import agents as types
from appliance.server.graphql.types.agents import Agent, AgentMatch
from appliance.server.graphql.types.flows import FlowRun, flow_run


@strawberry.type(description="The runs of an agent.")
class AgentRuns:
    live: list[FlowRun] = strawberry.field(description="Those that it has now, the longest first; at most 50.")
    waiting: list[FlowRun] = strawberry.field(
        description="The due ones that it would take, those that have waited longest first; at most 20."
    )
    ended: list[FlowRun] = strawberry.field(
        description="The last ones, newest first; at most 20, among the 2,000 runs that ended last."
    )


@strawberry.type
class AgentQueries:
    @root_field(Permission.READ)
    def agents(self, info: Info, health: str | None = None, labels: list[str] | None = None) -> list[Agent]:
        rows = agents.matching(info.context.session(), info.context.now, health, labels or ())
        ids = {row.id for row in rows}
        info.context.loaders.agent_running.want(ids)
        info.context.loaders.agent_held.want(ids)
        return [types.agent(row, info.context) for row in rows]

    @root_field(Permission.READ)
    def agent(self, info: Info, id: UUID) -> Agent | None:
        row = agents.known(info.context.session(), id)
        return None if row is None else types.agent(row, info.context)

    @root_field(Permission.READ)
    def agent_runs(self, info: Info, agent_id: UUID) -> AgentRuns | None:
        context = info.context
        row = agents.known(context.session(), agent_id)
        if row is None:
            return None
        runs = takers.runs_of(context.session(), row, context.now)
        context.loaders.see_runs([*runs.live, *runs.waiting, *runs.ended])
        return AgentRuns(
            live=[flow_run(row) for row in context.whole(runs.live)],
            waiting=[flow_run(row) for row in context.whole(runs.waiting)],
            ended=[flow_run(row) for row in context.whole(runs.ended)],
        )

    @root_field(Permission.READ)
    def agent_match(
        self,
        info: Info,
        labels: list[str] | None = None,
        project: str | None = None,
        kind: str | None = None,
        storage: str | None = None,
        user: str | None = None,
        python: str | None = None,
    ) -> AgentMatch:
        context = info.context
        session, now = context.session(), context.now
        answer = agent_match.match(session, labels or [], project, kind, storage, user, python, now)
        return types.agent_match(answer)


@strawberry.type
class AgentMutations:
    @root_mutation(Permission.MANAGE_AGENTS)
    def drain_agent(self, info: Info, input: types.DrainAgentInput) -> types.DrainAgentPayload:
        agent_states.drain(info.context.database, info.context.actor, input.agent_id)
        return types.DrainAgentPayload(agent=_after(info, input.agent_id))

    @root_mutation(Permission.MANAGE_AGENTS)
    def resume_agent(self, info: Info, input: types.ResumeAgentInput) -> types.ResumeAgentPayload:
        agent_states.resume(info.context.database, info.context.actor, input.agent_id)
        return types.ResumeAgentPayload(agent=_after(info, input.agent_id))

    @root_mutation(Permission.MANAGE_AGENTS)
    def forget_agent(self, info: Info, input: types.ForgetAgentInput) -> types.ForgetAgentPayload:
        agent_states.forget(info.context.database, info.context.actor, input.agent_id)
        info.context.changed()
        return types.ForgetAgentPayload(agent_id=input.agent_id)


def _after(info: Info, agent_id: UUID) -> Agent:
    """The agent as it is after an action."""
    info.context.changed()
    return types.agent(agent_states.known(info.context.session(), agent_id), info.context)
