"""Projects in GraphQL."""

from __future__ import annotations

from uuid import UUID

import strawberry

from appliance.server.db.rows.projects import ProjectRow
from appliance.server.domain import quotas
from appliance.server.graphql.context import Info
from appliance.server.graphql.scalars import BigInt


@strawberry.type(
    description="How much a project has stored of runs, logs and versions, and the most that it may; 0: no limit."
)
class ProjectUsage:
    rows: BigInt
    bytes: BigInt
    most_rows: BigInt
    most_bytes: BigInt
    full: bool


@strawberry.type(description="A namespace for flows.")
class Project:
    id: UUID
    name: str
    description: str
    archived: bool
    paused: bool

    @strawberry.field
    def flow_count(self, info: Info) -> int:
        return info.context.loaders.flow_count.load(self.id) or 0

    @strawberry.field
    def usage(self, info: Info) -> ProjectUsage:
        stored = quotas.usage(info.context.loaders.usage.load(self.id), info.context.database.rules)
        return ProjectUsage(
            rows=BigInt(stored.rows),
            bytes=BigInt(stored.bytes),
            most_rows=BigInt(stored.most_rows),
            most_bytes=BigInt(stored.most_bytes),
            full=stored.is_full,
        )


def project(row: ProjectRow) -> Project:
    return Project(id=row.id, name=row.name, description=row.description, archived=row.archived, paused=row.paused)
