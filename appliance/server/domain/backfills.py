"""How many runs a backfill may create now: from its progress, the runs of it that have not ended, and the rate that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from appliance.kit.clock import isoformat, parse

_MINUTE = 60.0


def room(
    progress: Mapping[str, Any], now: datetime, unfinished: int, at_once: int, per_minute: int | None, most: int
) -> tuple[int, dict[str, Any]]:
    """The number, and what to note of the running minute when so many are created."""
    free = min(most, at_once - unfinished)
    if per_minute is None or free <= 0:
        return max(0, free), {}
    begun, used = progress.get("minute"), int(progress.get("used", 0))
    if begun is None or not 0 <= (now - parse(begun)).total_seconds() < _MINUTE:
        begun, used = isoformat(now), 0
    count = max(0, min(free, per_minute - used))
    return count, {"minute": begun, "used": used + count}
