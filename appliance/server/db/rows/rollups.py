"""Rows of the hourly sums."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from appliance.protocol.states import StateType
from appliance.server.db.rows.row_type import RowType


class HourSum(RowType):
    """What ended in an hour in one state, over several flows."""

    hour: datetime
    state_type: StateType
    state_name: str
    runs: int
    seconds: float
    longest: float


class NewRollup(TypedDict):
    """What ended of a flow in an hour in one state, to be added to what is stored."""

    flow_id: UUID
    hour: datetime
    state_name: str
    state_type: str
    runs: int
    seconds: float
    longest: float
