"""State types, and the state history of a run, for scripts."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

from appliance.protocol.message import Answer

StateType = Literal["SCHEDULED", "PENDING", "PAUSED", "RUNNING", "CANCELLING", "SUCCESS", "FAILED", "CANCELLED"]

STATE_TYPES: tuple[str, ...] = get_args(StateType)
STATE_NAMES = (
    "Scheduled", "Late", "Retrying", "Resume", "Paused", "Pending", "Submitted", "Queued", "Running", "Cancelling", "Success", "Cached",
    "Mapped", "Skipped", "Looped", "Failed", "TimedOut", "TriggerFailed", "ValidationFailed", "Crashed", "Cancelled",
)  # fmt: skip
"""The names of states that runs and task runs can have, apart from states that a site's own code defines."""

MarkedState = Literal["Success", "Failed", "Cancelled", "Skipped"]
"""The final states that a person can set for a run or task run."""
MARKED_STATES: tuple[str, ...] = get_args(MarkedState)
TERMINAL: frozenset[str] = frozenset({"SUCCESS", "FAILED", "CANCELLED"})


class StateView(Answer, kw_only=True):
    version: int
    attempt: int
    type: StateType
    name: str
    message: str
    at: datetime
