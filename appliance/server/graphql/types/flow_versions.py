"""The registered versions of flows in GraphQL: parameters, tasks and edges."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import strawberry

from appliance.protocol.life_cycle import PartComparison
from appliance.server.db.rows.flows import FlowVersionRow, VersionSummary
from appliance.server.graphql.fields import described
from appliance.server.graphql.scalars import JSON


@strawberry.type
class ParameterDef:
    name: str
    required: bool
    default: JSON | None
    schema: JSON


@strawberry.type
class TaskDef:
    slug: str
    name: str
    tags: list[str]
    auto_generated: bool
    mapped: bool
    max_retries: int
    never_repeat: bool = strawberry.field(description="No later attempt of a run runs it again once it has begun.")


@strawberry.type
class EdgeDef:
    upstream: str
    downstream: str
    key: str | None
    mapped: bool
    flattened: bool


@strawberry.type(description="A version in the list of a flow's versions.")
class VersionEntry:
    id: UUID
    number: int
    restores: int | None = strawberry.field(description="The first version with the same content.")
    changes: list[str] = strawberry.field(description="What differs from the version before, one phrase each.")
    created: datetime
    created_by: str


@strawberry.type(description="The image that has the code of a version.")
class CodeImage:
    name: str
    id: str = strawberry.field(description="That of the image where it was built.")
    digest: str = strawberry.field(description="That of the image in its registry; empty if it is in none.")


@strawberry.type(description="One registered version of a flow. It never changes.")
class FlowVersion:
    row: strawberry.Private[FlowVersionRow]
    id: UUID
    number: int
    restores: int | None = strawberry.field(description="The first version with the same content.")
    changes: list[str] = strawberry.field(description="What differs from the version before, one phrase each.")
    created: datetime
    created_by: str
    sdk_version: str
    labels: list[str]
    storage: JSON

    @described("The image that has its code, if it is in one.")
    def image(self) -> CodeImage | None:
        place = self.row.storage
        if self.row.storage_type != "docker":
            return None
        return CodeImage(name=place["image"], id=place["id"], digest=place.get("digest", ""))

    @strawberry.field
    def parameters(self) -> list[ParameterDef]:
        return [
            ParameterDef(
                name=item["name"],
                required=item.get("required", False),
                default=item.get("default"),
                schema=item.get("schema") or {},
            )
            for item in self.row.parameters
        ]

    @described("The names of the secrets that its runs may read from the server.")
    def secrets(self) -> list[str]:
        return list(self.row.graph.get("secrets", []))

    @strawberry.field
    def tasks(self) -> list[TaskDef]:
        return [
            TaskDef(
                slug=item["slug"],
                name=item.get("name") or item["slug"],
                tags=list(item.get("tags") or []),
                auto_generated=bool(item.get("auto_generated")),
                mapped=bool(item.get("mapped")),
                max_retries=item.get("max_retries") or 0,
                never_repeat=bool(item.get("never_repeat")),
            )
            for item in self.row.graph.get("tasks", [])
        ]

    @strawberry.field
    def edges(self) -> list[EdgeDef]:
        return [
            EdgeDef(
                upstream=item["upstream"],
                downstream=item["downstream"],
                key=item.get("key"),
                mapped=bool(item.get("mapped")),
                flattened=bool(item.get("flattened")),
            )
            for item in self.row.graph.get("edges", [])
        ]


def version(row: FlowVersionRow) -> FlowVersion:
    return FlowVersion(
        row=row,
        id=row.id,
        number=row.number,
        restores=row.restores,
        changes=row.changes or [],
        created=row.created,
        created_by=row.created_by,
        sdk_version=row.sdk_version,
        labels=row.labels,
        storage=row.storage,
    )


@strawberry.type(description="One field that differs. If the item is a single value, the field is empty.")
class VersionChange:
    name: str
    field: str
    before: JSON | None
    after: JSON | None


@strawberry.type(
    description="What differs in one part: tasks, edges, parameters, labels, run_config, schedules, storage, ..."
)
class VersionPartComparison:
    part: str
    added: list[str]
    removed: list[str]
    changed: list[VersionChange]


@strawberry.type(description="What differs from one version to another. Parts that are the same are omitted.")
class VersionComparison:
    before: int
    after: int
    parts: list[VersionPartComparison]


def comparison(before: int, after: int, parts: Iterable[PartComparison]) -> VersionComparison:
    return VersionComparison(
        before=before,
        after=after,
        parts=[
            VersionPartComparison(
                part=part.part,
                added=part.added,
                removed=part.removed,
                changed=[
                    VersionChange(name=one.name, field=one.field, before=one.before, after=one.after)
                    for one in part.changed
                ],
            )
            for part in parts
        ],
    )


def entry(row: VersionSummary) -> VersionEntry:
    return VersionEntry(
        id=row.id,
        number=row.number,
        restores=row.restores,
        changes=row.changes or [],
        created=row.created,
        created_by=row.created_by,
    )
