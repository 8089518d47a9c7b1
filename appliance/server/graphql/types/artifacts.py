"""Artifacts of runs in GraphQL: what is known of them. Their bytes are at `/api/v1/artifacts/ID/content`."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from appliance.server.db.rows.artifacts import ArtifactRow
from appliance.server.graphql.scalars import BigInt


@strawberry.type(description="What a run has made for people to look at. One whose run was deleted has none.")
class Artifact:
    id: UUID
    project_name: str
    flow_id: UUID
    flow_name: str
    flow_run_id: UUID | None
    flow_run_name: str | None
    task_slug: str | None
    map_index: int
    kind: str = strawberry.field(description="markdown, table, link, image, progress, plot, html, or file.")
    key: str | None
    version: int | None = strawberry.field(description="Of its key in the project.")
    title: str
    media_type: str
    file_name: str | None
    size: BigInt = strawberry.field(description="In bytes.")
    progress: float | None = strawberry.field(description="From 0 to 100.")
    retention: str = strawberry.field(
        description="How long it stays: as its run, as the latest version of its key, or forever."
    )
    created: datetime
    updated: datetime


@strawberry.type
class ArtifactPage:
    items: list[Artifact]
    next: str | None


@strawberry.input(description="The other versions of its key keep their numbers.")
class DeleteArtifactInput:
    artifact_id: UUID
    idempotency_key: str | None = None


@strawberry.type
class DeleteArtifactPayload:
    artifact_id: UUID


def artifact(row: ArtifactRow) -> Artifact:
    return Artifact(
        id=row.id,
        project_name=row.project,
        flow_id=row.flow_id,
        flow_name=row.flow,
        flow_run_id=row.flow_run_id,
        flow_run_name=row.flow_run,
        task_slug=row.task_slug,
        map_index=row.map_index,
        kind=row.kind,
        key=row.key,
        version=row.version,
        title=row.title,
        media_type=row.media_type,
        file_name=row.file_name,
        size=BigInt(row.size),
        progress=row.progress,
        retention=row.retention,
        created=row.created,
        updated=row.updated,
    )
