"""Rows of log lines."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from appliance.server.db.rows.row_type import RowType


class LogRow(RowType):
    """A stored log line."""

    id: int
    flow_run_id: UUID
    task_slug: str | None
    map_index: int
    at: datetime
    level: int
    logger: str
    message: str


class FoundRow(LogRow):
    """A line that a search has found, with the names of its run, flow and project."""

    run_name: str
    flow: str
    project: str


class NewLog(TypedDict):
    """A log line to append."""

    flow_run_id: UUID
    task_slug: str | None
    map_index: int
    at: datetime
    level: int
    logger: str
    message: str
