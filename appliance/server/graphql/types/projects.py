"""Projects in GraphQL."""

from __future__ import annotations

from uuid import UUID

import strawberry

from appliance.server.db.rows.projects import ProjectRow
from appliance.server.graphql.context import Info


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


def project(row: ProjectRow) -> Project:
    return Project(id=row.id, name=row.name, description=row.description, archived=row.archived, paused=row.paused)
