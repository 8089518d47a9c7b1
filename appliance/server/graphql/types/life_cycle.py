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


@strawberry.input(
    description="With newest, the number of the version seen as the newest, it is refused if there is a newer one by now."
)
class RollBackFlowInput:
    flow_id: UUID
    to: int
    newest: int | None = None
    reason: str | None = None
    idempotency_key: str | None = None


@strawberry.type(
    description="What a rollback does or would do: the number of the new version, what differs from the one before, what happens to "
    "schedules, and what its runs will wait for."
)
class Rollback:
    version: int
    changes: list[str]
    schedules: list[str]
    warnings: list[str]
    closed: str = strawberry.field(description="Why no agent would take its code, so that it is refused; or empty.")


@strawberry.type
class RollBackFlowPayload:
    flow: Flow
    rollback: Rollback


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
