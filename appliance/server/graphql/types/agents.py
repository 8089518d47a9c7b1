"""Agents in GraphQL, who would take a run, and the inputs of the mutations of agents."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from appliance.server.actions.agent_match import AgentMatch as Match
from appliance.server.actions.agent_match import Candidate
from appliance.server.db.rows.agents import AgentRow
from appliance.server.domain.agent_states import is_draining
from appliance.server.domain.waiting import health_of, provided_by, quarantine_end
from appliance.server.graphql.context import Context, Info
from appliance.server.graphql.fields import described


@strawberry.type(description="A process that claims runs and starts them.")
class Agent:
    id: UUID
    name: str
    type: str
    labels: list[str]
    projects: list[str] = strawberry.field(description="Those whose runs it takes; empty: all.")
    capacity: int
    version: str
    host: str
    roots: list[str] | None = strawberry.field(
        description="The folders from which it takes code; null if it doesn't say."
    )
    env_names: list[str] | None = strawberry.field(
        description="Patterns of the environment variables that registrations may set; null if it doesn't say."
    )
    storages: list[str] | None = strawberry.field(
        description="Those from which it takes code; null if it is of an earlier release, which knows local files alone."
    )
    problems: list[str] = strawberry.field(description="What it found wrong when it started, one sentence each.")
    results_url: str | None = strawberry.field(
        description="Where its runs store results by default; empty: nowhere; null if it doesn't say."
    )
    users: list[str] | None = strawberry.field(
        description="The accounts as which it starts runs that name one; null if it doesn't say."
    )
    pythons: list[str] | None = strawberry.field(
        description="The versions and paths for which runs may ask; empty: it makes no environments; null if it doesn't say."
    )
    health: str = strawberry.field(description="online, draining, quarantined or offline.")
    quarantined_until: datetime | None = strawberry.field(
        description="It takes no runs before, because starts have failed there in a row; its problems say why."
    )
    draining: bool = strawberry.field(description="It gets no runs until somebody resumes it, be it online or not.")
    last_seen: datetime
    created: datetime = strawberry.field(description="When it enrolled for the first time.")

    @strawberry.field
    def running(self, info: Info) -> int:
        return info.context.loaders.agent_running.load(self.id) or 0

    @described("The runs that it has now, the longest first; at most 50.")
    def held_runs(self, info: Info) -> list[AgentRun]:
        return [
            AgentRun(flow_run_id=run.id, flow_run_name=run.name, project=run.project, flow=run.flow, since=run.since)
            for run in info.context.loaders.agent_held.load(self.id) or ()
        ]


@strawberry.type(description="A run that an agent has now.")
class AgentRun:
    flow_run_id: UUID
    flow_run_name: str
    project: str
    flow: str
    since: datetime


@strawberry.type(description="What keeps an agent from taking a run.")
class MissingPart:
    code: str = strawberry.field(
        description="label, host, project, kind, storage, user, python, offline, draining or quarantined."
    )
    values: list[str]
    sentence: str


@strawberry.type
class AgentCandidate:
    id: UUID
    name: str
    health: str
    capacity: int
    running: int
    missing: list[MissingPart] = strawberry.field(description="Empty: it would take the run.")


@strawberry.type(
    description="Which agents would take a run. The code and the sentence are those of a run's wait reason."
)
class AgentMatch:
    taking: int = strawberry.field(description="How many agents would take it.")
    code: str
    sentence: str
    agents: list[AgentCandidate] = strawberry.field(description="Those that lack least come first; at most 50.")
    total: int = strawberry.field(description="How many agents there are.")


@strawberry.input
class DrainAgentInput:
    agent_id: UUID
    idempotency_key: str | None = None


@strawberry.input
class ResumeAgentInput:
    agent_id: UUID
    idempotency_key: str | None = None


@strawberry.input
class ForgetAgentInput:
    agent_id: UUID
    idempotency_key: str | None = None


@strawberry.type
class DrainAgentPayload:
    agent: Agent


@strawberry.type
class ResumeAgentPayload:
    agent: Agent


@strawberry.type
class ForgetAgentPayload:
    agent_id: UUID


def agent(row: AgentRow, context: Context) -> Agent:
    provided = provided_by(row)
    return Agent(
        id=row.id,
        name=row.name,
        type=row.type,
        labels=row.labels,
        projects=row.projects or [],
        capacity=row.capacity,
        version=row.version,
        host=row.host,
        roots=row.roots,
        env_names=row.env_names,
        storages=row.storages,
        problems=row.problems or [],
        results_url=row.results_url,
        users=None if provided is None else provided.users,
        pythons=None if provided is None else provided.pythons,
        health=health_of(row, context.now),
        quarantined_until=quarantine_end(provided, context.now),
        draining=is_draining(row.state),
        last_seen=row.last_seen,
        created=row.created,
    )


def agent_match(answer: Match) -> AgentMatch:
    return AgentMatch(
        taking=answer.taking,
        code=answer.code,
        sentence=answer.sentence,
        agents=[_candidate(one) for one in answer.agents],
        total=answer.total,
    )


def _candidate(one: Candidate) -> AgentCandidate:
    return AgentCandidate(
        id=one.id,
        name=one.name,
        health=one.health,
        capacity=one.capacity,
        running=one.running,
        missing=[MissingPart(code=part.code, values=part.values, sentence=part.sentence) for part in one.missing],
    )
