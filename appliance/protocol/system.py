"""What a server says about itself."""

from __future__ import annotations

from datetime import datetime

from appliance.protocol.message import Answer


class ServerInfo(Answer, kw_only=True):
    version: str
    api: int = 1
    site_name: str
    setup_required: bool
    server_time: datetime
