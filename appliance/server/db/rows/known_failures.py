"""Rows of known failures."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from appliance.server.db.rows.row_type import RowType


class KnownFailureRow(RowType):
    """A known failure, with the names of its flow and project, and the owner of the flow."""

    id: UUID
    flow_id: UUID
    flow: str
    owner: str
    project: str
    task_slug: str
    fingerprint: str
    message: str
    reason: str
    until: datetime | None
    marked_by: str
    marked_at: datetime
    last_run_id: UUID
    last_seen: datetime
    resolved_at: datetime | None
    resolved_by_run: UUID | None


class RemovedFailure(RowType):
    """A known failure that was just deleted."""

    flow_id: UUID
    task_slug: str


class MarkedColumns(TypedDict):
    """What marking a failure says of it, the first time and again."""

    message: str
    reason: str
    until: datetime | None
    marked_by: str
    marked_at: datetime


class NewKnownFailure(MarkedColumns):
    """A known failure to insert."""

    id: UUID
    flow_id: UUID
    task_slug: str
    fingerprint: str
    last_run_id: UUID
    last_seen: datetime
