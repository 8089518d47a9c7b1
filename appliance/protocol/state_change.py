"""A state on its way from one place to another: what a run or a task run becomes, as one value."""

from __future__ import annotations

from datetime import datetime

import msgspec

from appliance.kit.documents import JsonDocument


class StateChange(msgspec.Struct, frozen=True):
    """The type and name of the state, when it began, what it says to people, and what it carries for programs."""

    type: str
    name: str
    at: datetime
    message: str = ""
    data: JsonDocument | None = None
