"""Jobs, backfills and the hold in GraphQL, and the inputs of their mutations."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from uuid import UUID

import strawberry

from appliance.server.db.reads.jobs import public_request
from appliance.server.db.rows.jobs import JobRow
from appliance.server.graphql.scalars import JSON
from appliance.server.graphql.types.inputs import FlowRunFilter, MarkedState


@strawberry.type(description="A run that a job left unchanged, and why.")
class Refusal:
    id: str
    reason: str


@strawberry.type(description="Work in many steps, with its progress. It ends when it is done, cancelled or failed.")
class Job:
    id: UUID
    kind: str
    state: str
    message: str
    total: int
    done: int
    refused: int
    refusals: list[Refusal]
    created: datetime
    updated: datetime
    created_by: str
    request: JSON = strawberry.field(description="What was requested, with the names that REST uses.")


@strawberry.type
class JobPage:
    items: list[Job]
    next: str | None


@strawberry.type(description="What a backfill would do.")
class BackfillPreview:
    count: int
    existing: int
    first: datetime | None
    last: datetime | None
    existing_times: list[datetime]


@strawberry.type(description="Whether overdue runs are held after an outage.")
class Hold:
    held: bool
    before: datetime | None = None
    since: datetime | None = None
    runs: int = 0


@strawberry.enum
class BulkAction(Enum):
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    RESTART = "restart"
    START_NOW = "start_now"
    MARK = "mark"
    EDIT = "edit"
    DELETE = "delete"


@strawberry.input(description="Select the runs by id or with a filter.")
class BulkFlowRunsInput:
    action: BulkAction
    ids: list[UUID] | None = None
    filter: FlowRunFilter | None = None
    reason: str | None = None
    idempotency_key: str | None = None
    state: MarkedState | None = strawberry.field(default=None, description="For mark.")
    newest_version: bool = strawberry.field(default=False, description="For restart.")
    from_task: str | None = strawberry.field(default=None, description="For restart.")
    parameters: JSON | None = strawberry.field(default=None, description="For restart.")
    anywhere: bool = strawberry.field(default=False, description="For restart and resume.")
    labels: list[str] | None = strawberry.field(default=None, description="For edit.")
    priority: int | None = strawberry.field(default=None, description="For edit.")
    scheduled_time: datetime | None = strawberry.field(default=None, description="For edit.")


@strawberry.input(
    description="A schedule, or a flow with a schedule's document. The start is inclusive, the end exclusive."
)
class BackfillRangeInput:
    start: datetime
    end: datetime
    schedule_id: UUID | None = None
    flow_id: UUID | None = None
    document: JSON | None = None


@strawberry.input
class BackfillInput:
    range: BackfillRangeInput
    parameters: JSON | None = None
    priority: int = 0
    at_once: int = 10
    per_minute: int | None = None
    reason: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class CancelJobInput:
    job_id: UUID
    reason: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class ReleaseHoldInput:
    reason: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class SkipHeldInput:
    reason: str | None = None
    idempotency_key: str | None = None


@strawberry.type
class BulkFlowRunsPayload:
    job: Job


@strawberry.type
class BackfillPayload:
    job: Job


@strawberry.type
class CancelJobPayload:
    job: Job


@strawberry.type
class ReleaseHoldPayload:
    hold: Hold


@strawberry.type
class SkipHeldPayload:
    job: Job


def job(row: JobRow) -> Job:
    return Job(
        id=row.id,
        kind=row.kind,
        state=row.state,
        message=row.message,
        total=row.total,
        done=row.done,
        refused=row.refused,
        refusals=[Refusal(id=one["id"], reason=one["reason"]) for one in row.progress.get("refusals", ())],
        created=row.created,
        updated=row.updated,
        created_by=row.created_by,
        request=public_request(row),
    )
