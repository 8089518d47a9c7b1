"""Which runs a schedule needs now: from how far it is planned, and the time, to due times. No I/O, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from appliance.core import clocks

CatchUp = Literal["all", "latest", "none"]
_PAGE = 500
_MOST = 100_000
"""The most due times that one look back computes; the years before them are counted as missed, not visited."""


@dataclass(frozen=True)
class Plan:
    """`due` are the times that shall have a run, in order; every due time up to `until` is then dealt with."""

    due: list[datetime] = field(default_factory=list)
    missed: int = 0  # due times in the past that get no run, by the catch-up policy
    until: datetime | None = None


def plan(
    document: Mapping[str, Any], planned_until: datetime, now: datetime, ahead: int, catch_up: str, cap: int
) -> Plan:
    """The runs to add so that the next `ahead` due times after `now` have one. Raises core's ScheduleError.

    Due times between `planned_until` and `now` were missed because nobody planned; the policy says what becomes of them.
    """
    past, missed = _missed(document, planned_until, now, catch_up, cap)
    future = clocks.next_times(document, now, ahead)
    due = past + [time for time in future if time > planned_until]
    reached = max([planned_until, now, *future[-1:]]) if planned_until < now else max([planned_until, *future[-1:]])
    return Plan(due, missed, reached)


def _missed(
    document: Mapping[str, Any], planned_until: datetime, now: datetime, catch_up: str, cap: int
) -> tuple[list[datetime], int]:
    if planned_until >= now:
        return [], 0
    keep = {"all": max(1, cap), "latest": 1}.get(catch_up, 0)
    kept: deque[datetime] = deque(maxlen=keep)
    seen = 0
    after = planned_until
    while seen < _MOST:
        times = [time for time in clocks.next_times(document, after, _PAGE) if time <= now]
        if not times:
            break
        seen += len(times)
        kept.extend(times)
        after = times[-1]
    return list(kept), seen - len(kept)
