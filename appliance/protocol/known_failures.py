"""Messages about failures that people have marked as known."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from appliance.protocol.message import Answer, Message


class MarkFailure(Message, kw_only=True):
    """Mark why this run failed as known. Without `until`, it is known until the flow succeeds; with it, at most until then."""

    flow_run_id: UUID
    until: datetime | None = None
    reason: str = ""
    idempotency_key: str | None = None


class KnownFailureView(Answer, kw_only=True):
    """A known failure. All failures of the flow in this task have the same `fingerprint` if their messages differ only in numbers and ids. An
    empty `task_slug` means that no task of the run is the cause. `expired`: it was known until a time that has passed, so that it counts again."""

    id: UUID
    project: str
    flow_id: UUID
    flow: str
    owner: str
    task_slug: str
    message: str
    fingerprint: str
    reason: str
    until: datetime | None
    expired: bool
    marked_by: str
    marked_at: datetime
    last_run_id: UUID
    last_seen: datetime
    resolved_at: datetime | None = None
    resolved_by_run: UUID | None = None
