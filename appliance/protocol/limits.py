"""Messages about limits on how many runs or tasks run at once."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from appliance.protocol.message import Message

MOST_SLOTS = 100_000


class PutLimit(Message, kw_only=True):
    """`name` is a label, a task tag, or a flow written as `project/flow`."""

    kind: Literal["flow", "label", "task_tag"]
    name: str
    slots: Annotated[int, msgspec.Meta(ge=0, le=MOST_SLOTS)]
