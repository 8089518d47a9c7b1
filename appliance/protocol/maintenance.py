"""Messages about maintenance: while it lasts no run starts, and what runs goes on."""

from __future__ import annotations

from datetime import datetime

from appliance.protocol.message import Answer, Message


class BeginMaintenance(Message, kw_only=True):
    """`until` ends it by itself; without it a person does."""

    reason: str = ""
    until: datetime | None = None


class MaintenanceView(Answer, kw_only=True):
    """Whether the appliance is in maintenance; if so who began it, when, why, and when it ends by itself."""

    active: bool
    since: datetime | None = None
    until: datetime | None = None
    by: str = ""
    reason: str = ""
