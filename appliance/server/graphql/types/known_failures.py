"""Known failures in GraphQL, and the inputs of their mutations."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from appliance.server.db.rows.known_failures import KnownFailureRow
from appliance.server.domain.failures import is_known_at


@strawberry.type(description="A failure that a person has marked as known. The next success of its flow resolves it.")
class KnownFailure:
    id: UUID
    project_name: str
    flow_id: UUID
    flow_name: str
    flow_owner: str
    task_slug: str | None = strawberry.field(description="Null if no task of the run is the cause.")
    message: str = strawberry.field(description="As it was when it was marked.")
    reason: str
    until: datetime | None = strawberry.field(description="Null if it is known until it is resolved.")
    expired: bool = strawberry.field(description="Whether that time has passed, so that the failure counts again.")
    marked_by: str
    marked_at: datetime
    last_run_id: UUID = strawberry.field(description="The run that failed last for this cause; it may be deleted.")
    last_seen: datetime
    resolved_at: datetime | None
    resolved_by_run: UUID | None


@strawberry.type
class KnownFailurePage:
    items: list[KnownFailure]
    next: str | None


@strawberry.input(description="A failure that is known already is known until the new time, for the new reason.")
class MarkFailureInput:
    flow_run_id: UUID
    until: datetime | None = None
    reason: str = ""
    idempotency_key: str | None = None


@strawberry.input
class UnmarkFailureInput:
    known_failure_id: UUID
    idempotency_key: str | None = None


@strawberry.type
class MarkFailurePayload:
    known_failure: KnownFailure


@strawberry.type
class UnmarkFailurePayload:
    known_failure_id: UUID


def known_failure(row: KnownFailureRow, now: datetime) -> KnownFailure:
    return KnownFailure(
        id=row.id,
        project_name=row.project,
        flow_id=row.flow_id,
        flow_name=row.flow,
        flow_owner=row.owner,
        task_slug=row.task_slug or None,
        message=row.message,
        reason=row.reason,
        until=row.until,
        expired=not is_known_at(row.until, now),
        marked_by=row.marked_by,
        marked_at=row.marked_at,
        last_run_id=row.last_run_id,
        last_seen=row.last_seen,
        resolved_at=row.resolved_at,
        resolved_by_run=row.resolved_by_run,
    )
