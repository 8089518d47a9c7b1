"""Messages about limits on how many runs or tasks run at once, and how many tasks start in a period."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from appliance.protocol.message import Message

MOST_SLOTS = 100_000
MOST_STARTS = 10_000
SHORTEST_PERIOD, LONGEST_PERIOD = 1, 86_400
"""Seconds."""


class PutLimit(Message, kw_only=True):
    """`name` is a label, a task tag, or a flow written as `project/flow`. A `task_rate` lets `slots` tasks with the tag start in any `per`
    seconds, from 1 to 86,400."""

    kind: Literal["flow", "label", "task_tag", "task_rate"]
    name: str
    slots: Annotated[int, msgspec.Meta(ge=0, le=MOST_SLOTS)]
    per: float | None = None
