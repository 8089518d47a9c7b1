"""Schedules in words, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cronsim import CronSim, CronSimError

from appliance.core.clocks import ALIASES
from appliance.kit import clock

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def describe(document: Mapping[str, Any]) -> str:
    """A schedule's document in words; a cron expression that has none is shown as it stands."""
    if document.get("kind") == "interval":
        return _interval(float(document.get("seconds", 0)))
    expression = str(document.get("cron", ""))
    try:
        return str(CronSim(ALIASES.get(expression.strip().lower(), expression), clock.now()).explain())
    except CronSimError:
        return expression


def _interval(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds >= size and seconds % size == 0:
            number = int(seconds // size)
            return f"Every {unit}" if number == 1 else f"Every {number} {unit}s"
    return f"Every {seconds:g} seconds"
