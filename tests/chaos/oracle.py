"""When a schedule was due, worked out anew from its document by brute force: nothing of the server's own arithmetic is used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(2019, 1, 1, tzinfo=UTC)
"""What intervals count from when the document names no anchor."""
_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)
_FIELDS = ("minute", "hour", "day", "month")


def due_times(document: Mapping[str, Any], after: datetime, until: datetime) -> list[datetime]:
    """All due times in (after, until]. Knows intervals of whole seconds, and cron of `*`, `*/n` and numbers, both in UTC."""
    if document.get("timezone", "UTC") != "UTC" or set(document) & {"filters", "or_filters", "not_filters", "calendar"}:
        raise ValueError(f"the oracle doesn't know such schedules: {document}")
    start = _time(document.get("start"), after)
    end = min(until, _time(document.get("end"), until))
    step = _SECOND if document["kind"] == "interval" else _MINUTE
    time = after.replace(microsecond=0) if step is _SECOND else after.replace(second=0, microsecond=0)
    found = []
    while (time := time + step) <= end:
        if time > after and time >= start and _matches(document, time):
            found.append(time)
    return found


def _matches(document: Mapping[str, Any], time: datetime) -> bool:
    if document["kind"] == "interval":
        anchor = _time(document.get("anchor"), EPOCH)
        return int((time - anchor).total_seconds()) % int(document["seconds"]) == 0
    *fields, weekday = document["cron"].split()
    if weekday != "*":
        raise ValueError(f"the oracle doesn't know days of the week: {document}")
    return all(_fits(field, getattr(time, name)) for field, name in zip(fields, _FIELDS, strict=True))


def _fits(field: str, value: int) -> bool:
    if field.startswith("*/"):
        return value % int(field[2:]) == 0
    return field == "*" or value in map(int, field.split(","))


def _time(text: str | None, default: datetime) -> datetime:
    if text is None:
        return default
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
