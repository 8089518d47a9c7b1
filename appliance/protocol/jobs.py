"""Jobs: bulk actions on many runs, with their progress."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from appliance.protocol.message import Answer, Message
from appliance.protocol.run_filter import RunFilter
from appliance.protocol.states import MarkedState

BulkAction = Literal["cancel", "pause", "resume", "restart", "start_now", "mark", "edit", "delete"]


MOST_IDS = 10_000

JobState = Literal["queued", "running", "done", "cancelled", "failed"]


class Bulk(Message, kw_only=True):
    """Apply one action to many runs: those with these ids, or all that match a filter now."""

    action: BulkAction
    ids: Annotated[list[UUID], msgspec.Meta(max_length=MOST_IDS)] | None = None
    filter: RunFilter | None = None
    reason: str = ""
    idempotency_key: str | None = None
    state: MarkedState | None = None  # for mark
    newest_version: bool = False  # for restart
    from_task: str | None = None
    parameters: dict[str, Any] = {}
    anywhere: bool = False  # for restart and resume
    labels: list[str] | None = None  # for edit
    priority: int | None = None
    scheduled_time: datetime | None = None


class Refusal(Answer, kw_only=True):
    """A run or due time that a job left unchanged, and the reason."""

    id: str
    reason: str


class JobView(Answer, kw_only=True):
    """Work in many steps, with its progress. It has ended when its state is done, cancelled, or failed."""

    id: UUID
    kind: str
    state: JobState
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


OVER: frozenset[str] = frozenset({"done", "cancelled", "failed"})
"""The states of a job that has ended."""
