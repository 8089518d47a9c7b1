"""Rows of projects."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from appliance.server.db.rows.row_type import RowType


class ProjectRow(RowType):
    """A whole project."""

    id: UUID
    name: str
    description: str
    archived: bool
    paused: bool
    created: datetime
