"""Backfills: runs for past due times of a schedule."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from appliance.protocol.message import Answer, Message


class BackfillRange(Message, kw_only=True):
    """The due times of a schedule from `start` (inclusive) to `end` (exclusive). Instead of `schedule_id`, `flow_id` and `document` can
    describe a schedule for this request only."""

    schedule_id: UUID | None = None
    flow_id: UUID | None = None
    document: dict[str, Any] | None = None
    start: datetime
    end: datetime


class Backfill(BackfillRange, kw_only=True):
    """Create missing runs for these due times: at most `at_once` unfinished runs, or `per_minute` new runs per minute."""

    parameters: dict[str, Any] = {}
    priority: int = 0
    at_once: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10
    per_minute: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None
    reason: str = ""
    idempotency_key: str | None = None


class BackfillPreview(Answer, kw_only=True):
    """What a backfill would do."""

    count: int  # due times in the range
    existing: int  # those that already have a run
    first: datetime | None = None
    last: datetime | None = None
    existing_times: list[datetime] = []  # the first hundred
