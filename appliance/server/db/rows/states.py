"""Rows of the histories of flow runs."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from appliance.kit.documents import JsonDocument
from appliance.protocol.states import StateType
from appliance.server.db.rows.row_type import RowType


class StateRow(RowType):
    """A state in a flow run's history."""

    flow_run_id: UUID
    version: int
    attempt: int
    type: StateType
    name: str
    message: str
    data: JsonDocument | None
    at: datetime
    actor: str


class NewState(TypedDict):
    """A state to append to a flow run's history."""

    flow_run_id: UUID
    version: int
    attempt: int
    type: str
    name: str
    message: str
    data: JsonDocument | None
    at: datetime
    actor: str
