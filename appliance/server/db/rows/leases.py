"""Rows of leases."""

from __future__ import annotations

from datetime import datetime

from appliance.server.db.rows.row_type import RowType


class LeaseRow(RowType):
    """A whole lease."""

    name: str
    holder: str
    epoch: int
    expires: datetime
    last_run_at: datetime | None
    since: datetime | None
    last_counts: str
