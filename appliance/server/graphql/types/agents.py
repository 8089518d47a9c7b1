"""Agents in GraphQL."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from appliance.server.db.rows.agents import AgentRow
from appliance.server.domain.waiting import agent_health
from appliance.server.graphql.context import Context, Info


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
    health: str
    last_seen: datetime

    @strawberry.field
    def running(self, info: Info) -> int:
        return info.context.loaders.agent_running.load(self.id) or 0


def agent(row: AgentRow, context: Context) -> Agent:
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
        health=agent_health(row.state, row.last_seen, context.now),
        last_seen=row.last_seen,
    )
