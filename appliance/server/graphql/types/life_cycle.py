"""The life cycle of flows and projects in GraphQL: inputs and payloads of its mutations, and the preview of a deletion."""

from __future__ import annotations

from uuid import UUID

import strawberry

from appliance.server.graphql.types.flows import Flow
from appliance.server.graphql.types.jobs import Job
from appliance.server.graphql.types.projects import Project


@strawberry.type(
    description="What would be deleted. Numbers end at 100,000. Agents remove the results in their folders; others stay."
)
class DeletionPreview:
    project: str
    flow: str | None
    flows: int
    versions: int
    schedules: int
    runs: int
    live_runs: int
    task_runs: int
    logs: int
    results: int


@strawberry.input(description="Omitted fields keep their values.")
class EditFlowInput:
    flow_id: UUID
    name: str | None = None
    paused: bool | None = None
    archived: bool | None = None
    reason: str | None = None
    idempotency_key: str | None = None


@strawberry.input(description="Omitted fields keep their values.")
class EditProjectInput:
    project_id: UUID
    name: str | None = None
    paused: bool | None = None
    archived: bool | None = None
    reason: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class DeleteFlowInput:
    flow_id: UUID
    cancel_runs: bool = strawberry.field(default=False, description="Also cancel the runs in progress.")
    reason: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class DeleteProjectInput:
    project_id: UUID
    cancel_runs: bool = strawberry.field(default=False, description="Also cancel the runs in progress.")
    reason: str | None = None
    idempotency_key: str | None = None


@strawberry.type
class EditFlowPayload:
    flow: Flow


@strawberry.type
class EditProjectPayload:
    project: Project


@strawberry.type
class DeleteFlowPayload:
    job: Job


@strawberry.type
class DeleteProjectPayload:
    job: Job
