"""Queries about artifacts of runs, and the mutation that deletes one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import strawberry

from appliance.server.actions import artifacts as actions
from appliance.server.auth.guards import Permission
from appliance.server.db.reads import artifacts as reads
from appliance.server.db.reads import pages
from appliance.server.db.reads.pages import RowPage
from appliance.server.graphql.context import Info
from appliance.server.graphql.fields import root_field, root_mutation
from appliance.server.graphql.types import artifacts as types
from appliance.server.graphql.types.artifacts import Artifact, ArtifactPage


@strawberry.type
class ArtifactQueries:
    @root_field(Permission.READ)
    def artifacts(
        self,
        info: Info,
        project: str | None = None,
        flow_id: UUID | None = None,
        flow_run_id: UUID | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> ArtifactPage:
        criteria = reads.Criteria(project, flow_id, flow_run_id)
        return _page(reads.page(info.context.session(), criteria, pages.size(first), after))

    @root_field(Permission.READ)
    def artifact_versions(
        self, info: Info, project: str, key: str, first: int | None = None, after: str | None = None
    ) -> ArtifactPage:
        return _page(reads.versions(info.context.session(), project, key, pages.size(first), after))

    @root_field(Permission.READ)
    def latest_artifacts(
        self,
        info: Info,
        project: str | None = None,
        prefix: str | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> ArtifactPage:
        return _page(reads.latest(info.context.session(), project, prefix, pages.size(first), after))

    @root_field(Permission.READ)
    def artifact(self, info: Info, id: UUID) -> Artifact | None:
        row = reads.one(info.context.session(), id)
        return None if row is None else types.artifact(row)


@strawberry.type
class ArtifactMutations:
    @root_mutation(Permission.DELETE_RUN)
    def delete_artifact(self, info: Info, input: types.DeleteArtifactInput) -> types.DeleteArtifactPayload:
        actions.remove(info.context.database, info.context.actor, input.artifact_id)
        info.context.changed()
        return types.DeleteArtifactPayload(artifact_id=input.artifact_id)


def _page(page: RowPage[Any]) -> ArtifactPage:
    return ArtifactPage(items=[types.artifact(row) for row in page.rows], next=page.next)
