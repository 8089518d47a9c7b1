"""Rows of what projects have stored."""

from __future__ import annotations

from uuid import UUID

from appliance.server.db.rows.row_type import RowType


class Stored(RowType):
    """How much a project has stored: rows, and their bytes."""

    project_id: UUID
    stored_rows: int
    stored_bytes: int
