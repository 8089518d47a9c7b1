"""The types of states and a run's history as scripts see it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

from appliance.protocol.message import Answer

StateType = Literal["SCHEDULED", "PENDING", "PAUSED", "RUNNING", "CANCELLING", "SUCCESS", "FAILED", "CANCELLED"]


MarkedState = Literal["Success", "Failed", "Cancelled", "Skipped"]
"""How a person may say that a run, or a task run, ended."""
MARKED_STATES: tuple[str, ...] = get_args(MarkedState)
TERMINAL: frozenset[str] = frozenset({"SUCCESS", "FAILED", "CANCELLED"})


class StateView(Answer, kw_only=True):
    version: int
    attempt: int
    type: StateType
    name: str
    message: str
    at: datetime
