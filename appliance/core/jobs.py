"""The messages of jobs: bulk actions on many runs, backfills, and the hold after an outage. Used by clients and by the server."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from appliance.core.protocol import Answer, Message

BulkAction = Literal["cancel", "pause", "resume", "restart", "start_now", "mark", "edit", "delete"]
MOST_IDS = 10_000


class RunFilter(Message, kw_only=True):
    """The runs that a list with these conditions shows. `states` are names or types of states; without them, runs that are
    scheduled for later are left out unless `include_future` says otherwise. Times are those at which runs are due."""

    states: list[str] = []
    flow_id: UUID | None = None
    flow: str | None = None
    project: str | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    include_future: bool = False


class Bulk(Message, kw_only=True):
    """Do one thing to many runs: to those with these ids, or to all that a filter finds now."""

    action: BulkAction
    ids: Annotated[list[UUID], msgspec.Meta(max_length=MOST_IDS)] | None = None
    filter: RunFilter | None = None
    reason: str = ""
    idempotency_key: str | None = None
    state: Literal["Success", "Failed", "Cancelled", "Skipped"] | None = None  # for mark
    newest_version: bool = False  # for restart
    from_task: str | None = None
    parameters: dict[str, Any] = {}
    labels: list[str] | None = None  # for edit
    priority: int | None = None
    scheduled_time: datetime | None = None


class BackfillRange(Message, kw_only=True):
    """The due times of a schedule from `start` (counted in) to `end` (not counted in); or, with `flow_id` and `document`, of a
    schedule that is only given here."""

    schedule_id: UUID | None = None
    flow_id: UUID | None = None
    document: dict[str, Any] | None = None
    start: datetime
    end: datetime


class Backfill(BackfillRange, kw_only=True):
    """Create the runs that these due times lack: at most `at_once` that have not ended, or `per_minute` in each minute."""

    parameters: dict[str, Any] = {}
    priority: int = 0
    at_once: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10
    per_minute: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None
    reason: str = ""
    idempotency_key: str | None = None


class BackfillPreview(Answer, kw_only=True):
    """What a backfill would do."""

    count: int  # due times in the range
    existing: int  # of them, those that have a run already
    first: datetime | None = None
    last: datetime | None = None
    existing_times: list[datetime] = []  # the first hundred


class Refusal(Answer, kw_only=True):
    """A run that a job left as it was, or a due time, and why."""

    id: str
    reason: str


class JobView(Answer, kw_only=True):
    """Work of many steps with its progress; over when its state is done, cancelled or failed."""

    id: UUID
    kind: str
    state: Literal["queued", "running", "done", "cancelled", "failed"]
    message: str = ""
    total: int
    done: int
    refused: int
    refusals: list[Refusal] = []  # the first hundred
    cancel_requested: bool = False
    created: datetime
    updated: datetime
    created_by: str = ""
    request: dict[str, Any] = {}


class HoldView(Answer, kw_only=True):
    """Whether overdue runs are held after an outage: those that were due at `before` or earlier."""

    held: bool
    before: datetime | None = None
    since: datetime | None = None
    runs: int = 0  # that are held now; counting ends at ten thousand


OVER: frozenset[str] = frozenset({"done", "cancelled", "failed"})
"""The states of a job that is over."""
