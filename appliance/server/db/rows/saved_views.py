"""Rows of saved views."""

from __future__ import annotations

from typing import TypedDict
from uuid import UUID

from appliance.protocol.run_filter import ListOrder
from appliance.server.db.rows.row_type import RowType


class SavedViewRow(RowType):
    """A whole saved view."""

    id: UUID
    user_id: UUID
    name: str
    folded_name: str
    q: str
    sort: ListOrder | None
    columns: list[str]
    is_default: bool


class ViewColumns(TypedDict, total=False):
    """What saving or editing a view changes."""

    name: str
    folded_name: str
    q: str
    sort: ListOrder | None
    columns: list[str]
    is_default: bool
