"""Rows of jobs: bulk actions and backfills."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from appliance.kit.documents import JsonDocument
from appliance.protocol.jobs import JobState
from appliance.server.db.rows.row_type import RowType


class JobRow(RowType):
    """A whole job."""

    id: UUID
    kind: str
    request: JsonDocument
    progress: JsonDocument
    state: JobState
    message: str
    total: int
    done: int
    refused: int
    cancel_requested: bool
    idempotency_key: str | None
    created: datetime
    updated: datetime
    created_by: str


class NewJob(TypedDict):
    """A job to insert."""

    id: UUID
    kind: str
    request: JsonDocument
    progress: JsonDocument
    state: JobState
    message: str
    total: int
    done: int
    refused: int
    cancel_requested: bool
    idempotency_key: str | None
    created: datetime
    updated: datetime
    created_by: str


class JobColumns(TypedDict, total=False):
    """The columns that a step of a job, or its end, may set."""

    progress: JsonDocument
    state: JobState
    message: str
    total: int
    done: int
    refused: int
    cancel_requested: bool
