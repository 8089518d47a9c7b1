"""Messages about maintenance, during which no run starts and active runs continue."""

from __future__ import annotations

from datetime import datetime

from appliance.protocol.message import Answer, Message


class BeginMaintenance(Message, kw_only=True):
    """Maintenance ends automatically at `until` or after `duration` seconds; without either, an administrator must end it."""

    reason: str = ""
    until: datetime | None = None
    duration: float | None = None


class MaintenanceView(Answer, kw_only=True):
    """Whether the appliance is in maintenance and, if so, since when, who began it, why, and when it ends automatically."""

    active: bool
    since: datetime | None = None
    until: datetime | None = None
    by: str = ""
    reason: str = ""
