"""How many runs a backfill may create now: from its progress, its runs that have not ended, and the requested rate."""

from __future__ import annotations

from datetime import datetime

from appliance.kit.clock import isoformat, parse
from appliance.kit.documents import JsonDocument

_MINUTE = 60.0


def room(
    progress: JsonDocument, now: datetime, unfinished: int, at_once: int, per_minute: int | None, most: int
) -> tuple[int, JsonDocument]:
    """The number, and what to record about the current minute when that many are created."""
    free = min(most, at_once - unfinished)
    if per_minute is None or free <= 0:
        return max(0, free), {}
    begun, used = progress.get("minute"), int(progress.get("used", 0))
    if begun is None or not 0 <= (now - parse(begun)).total_seconds() < _MINUTE:
        begun, used = isoformat(now), 0
    count = max(0, min(free, per_minute - used))
    return count, {"minute": begun, "used": used + count}
