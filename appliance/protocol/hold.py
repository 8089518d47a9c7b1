"""The hold on overdue runs after an outage."""

from __future__ import annotations

from datetime import datetime

from appliance.protocol.message import Answer


class HoldView(Answer, kw_only=True):
    """Whether overdue runs are held after an outage, namely those due at or before `before`."""

    held: bool
    before: datetime | None = None
    since: datetime | None = None
    runs: int = 0  # held now; the count stops at ten thousand
