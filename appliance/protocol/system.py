"""Messages about the server: what it says about itself, and freeing space on its disk."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from appliance.protocol.message import Answer, Message


class ServerInfo(Answer, kw_only=True):
    version: str
    api: int = 1
    site_name: str
    setup_required: bool
    shortest_password: int = 12
    server_time: datetime


class FreeSpace(Message, kw_only=True):
    """Nothing newer than `keep_days` is deleted."""

    keep_days: Annotated[float, msgspec.Meta(ge=0, le=36_500)] = 1.0
