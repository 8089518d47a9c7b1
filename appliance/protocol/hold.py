"""The hold on overdue runs after an outage."""

from __future__ import annotations

from datetime import datetime

from appliance.protocol.message import Answer


class HoldView(Answer, kw_only=True):
    """Whether overdue runs are held after an outage: those that were due at `before` or earlier."""

    held: bool
    before: datetime | None = None
    since: datetime | None = None
    runs: int = 0  # that are held now; counting ends at ten thousand
