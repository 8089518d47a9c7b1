"""Filters of schedules: which of a clock's times count. Plain objects with a JSON form, so that the server can apply them too.

A filter looks at the wall time in the schedule's zone. Days of the week are numbered as in cron: 0 is Sunday, 6 Saturday, 7 Sunday.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from appliance.kit import clock
from appliance.schedules import fields
from appliance.schedules.errors import ScheduleError
from appliance.schedules.zones import EARLIEST, LATEST

MOST = 100
_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Check:
    """A filter ready for use in one zone.

    `passes` gets the instant and its wall time. For a wall time that fails, `reopens` returns the next one that may pass; for one
    that passes, `ends` returns the next one that may fail: on the same day or at the next midnight. No instant outside `window` passes.
    """

    passes: Callable[[datetime, datetime], bool]
    reopens: Callable[[datetime], datetime] | None = None
    ends: Callable[[datetime], datetime] | None = None
    window: tuple[datetime, datetime] = (EARLIEST, LATEST)


class Filter:
    """One filter; called with an aware time, it returns whether its wall time passes."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        check_of(document, ZoneInfo("UTC"))
        self._document = dict(document)

    def __call__(self, at: datetime) -> bool:
        """Whether the time passes. Raises ScheduleError for a time without an offset."""
        if at.tzinfo is None:
            raise ScheduleError("A filter needs a time with an offset.")
        zone = at.tzinfo if isinstance(at.tzinfo, ZoneInfo) else ZoneInfo("UTC")
        return check_of(self._document, zone).passes(at.astimezone(UTC), at.replace(tzinfo=None, fold=0))

    def to_document(self) -> dict[str, Any]:
        """The JSON form."""
        return dict(self._document)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and other._document == self._document

    def __hash__(self) -> int:
        return hash(repr(sorted(self._document.items())))

    def __repr__(self) -> str:
        return f"Filter({self._document!r})"


def on_datetime(at: datetime) -> Filter:
    """Only this exact instant; without an offset it is a wall time of the schedule."""
    return Filter({"kind": "on_datetime", "at": _moment(at)})


def on_date(month: int, day: int) -> Filter:
    """Only this day of every year."""
    return Filter({"kind": "on_date", "month": month, "day": day})


def at_time(at: time | str) -> Filter:
    """Only this time of day."""
    return Filter({"kind": "at_time", "at": _time(at)})


def between_times(start: time | str, end: time | str) -> Filter:
    """From `start` to `end`, both included; across midnight when the start is later than the end."""
    return Filter({"kind": "between_times", "start": _time(start), "end": _time(end)})


def between_dates(start_month: int, start_day: int, end_month: int, end_day: int) -> Filter:
    """The days from the first to the last of every year, both included; across New Year when the first is later than the last."""
    document = {"start_month": start_month, "start_day": start_day, "end_month": end_month, "end_day": end_day}
    return Filter({"kind": "between_dates"} | document)


def between_datetimes(start: datetime, end: datetime) -> Filter:
    """From one instant to another, both included; without an offset they are wall times of the schedule."""
    return Filter({"kind": "between_datetimes", "start": _moment(start), "end": _moment(end)})


def is_day_of_week(day: int | str) -> Filter:
    """Only this day of the week: a name such as "monday", or as in cron 0 for Sunday to 6 for Saturday, and 7 for Sunday."""
    return Filter({"kind": "is_day_of_week", "day": fields.weekday(day, "The day of week")})


def check_of(document: object, zone: ZoneInfo) -> Check:
    """The check that a filter's document describes. Raises ScheduleError."""
    kind = document.get("kind") if isinstance(document, Mapping) else None
    entry = _CHECKS.get(kind) if isinstance(kind, str) else None
    if entry is None:
        raise ScheduleError(f"A schedule's filter must be an object whose kind is one of {', '.join(sorted(_CHECKS))}.")
    names, make = entry
    content = fields.require_fields(document, f"The filter {kind}", ("kind", *names))
    return make(content, zone)


def checks_of(documents: object, what: str, zone: ZoneInfo) -> list[Check]:
    """The checks of a list of filters."""
    return [check_of(item, zone) for item in fields.items(documents, what, MOST)]


def _midnight(wall: datetime) -> datetime:
    return datetime.combine(wall.date() + _DAY, time())


def _by_day(fits: Callable[[date], bool]) -> Check:
    return Check(lambda _, wall: fits(wall.date()), reopens=_midnight, ends=_midnight)


def _day_only(fits: Callable[[date], bool]) -> tuple[tuple[str, ...], Callable[[Mapping[str, Any], ZoneInfo], Check]]:
    return (), lambda _document, _zone: _by_day(fits)


def _on_datetime(document: Mapping[str, Any], zone: ZoneInfo) -> Check:
    at = fields.instant(document.get("at"), "The time of a filter", zone)
    return Check(lambda instant, _: instant == at, window=(at, at))


def _between_datetimes(document: Mapping[str, Any], zone: ZoneInfo) -> Check:
    start, end = (fields.instant(document.get(key), f"The {key} of a filter", zone) for key in ("start", "end"))
    if end < start:
        raise ScheduleError("The filter between_datetimes ends before it starts.")
    return Check(lambda instant, _: start <= instant <= end, window=(start, end))


def _on_date(document: Mapping[str, Any], _zone: ZoneInfo) -> Check:
    month, day = _month_day(document, "month", "day")
    return _by_day(lambda date: (date.month, date.day) == (month, day))


def _between_dates(document: Mapping[str, Any], _zone: ZoneInfo) -> Check:
    start = _month_day(document, "start_month", "start_day")
    end = _month_day(document, "end_month", "end_day")
    return _by_day(lambda date: _between((date.month, date.day), start, end))


def _at_time(document: Mapping[str, Any], _zone: ZoneInfo) -> Check:
    at = fields.time_of_day(document.get("at"), "The time of a filter")
    return Check(lambda _, wall: wall.time() == at, reopens=_reopening(at))


def _between_times(document: Mapping[str, Any], _zone: ZoneInfo) -> Check:
    start, end = (fields.time_of_day(document.get(key), f"The {key} of a filter") for key in ("start", "end"))
    return Check(lambda _, wall: _between(wall.time(), start, end), reopens=_reopening(start), ends=_ending(end))


def _is_day_of_week(document: Mapping[str, Any], _zone: ZoneInfo) -> Check:
    day = fields.weekday(document.get("day"), "The day of week")
    return _by_day(lambda date: date.isoweekday() % 7 == day)


def _reopening(at: time) -> Callable[[datetime], datetime]:
    return lambda wall: datetime.combine(wall.date(), at) if wall.time() < at else _midnight(wall)


def _ending(at: time) -> Callable[[datetime], datetime]:
    def ends(wall: datetime) -> datetime:
        return datetime.combine(wall.date(), at) + _TICK if wall.time() <= at else _midnight(wall)

    return ends


def _between(value: Any, start: Any, end: Any) -> bool:
    return bool(start <= value <= end) if start <= end else bool(value >= start or value <= end)


def _month_day(document: Mapping[str, Any], month_key: str, day_key: str) -> tuple[int, int]:
    month = fields.number(document.get(month_key), "The month of a filter", 1, 12)
    day = fields.number(document.get(day_key), "The day of a filter", 1, 31)
    return fields.day_of_year(f"{month:02}-{day:02}", "The day of a filter")


_CHECKS: dict[str, tuple[tuple[str, ...], Callable[[Mapping[str, Any], ZoneInfo], Check]]] = {
    "on_datetime": (("at",), _on_datetime),
    "on_date": (("month", "day"), _on_date),
    "at_time": (("at",), _at_time),
    "between_times": (("start", "end"), _between_times),
    "between_dates": (("start_month", "start_day", "end_month", "end_day"), _between_dates),
    "between_datetimes": (("start", "end"), _between_datetimes),
    "is_day_of_week": (("day",), _is_day_of_week),
    "is_weekday": _day_only(lambda day: day.isoweekday() <= 5),
    "is_weekend": _day_only(lambda day: day.isoweekday() > 5),
    "is_month_start": _day_only(lambda day: day.day == 1),
    "is_month_end": _day_only(lambda day: (day + _DAY).day == 1),
}

is_weekday = Filter({"kind": "is_weekday"})
"""Monday to Friday."""
is_weekend = Filter({"kind": "is_weekend"})
"""Saturday and Sunday."""
is_month_start = Filter({"kind": "is_month_start"})
"""The first day of a month."""
is_month_end = Filter({"kind": "is_month_end"})
"""The last day of a month."""


def _moment(at: datetime) -> str:
    return at.isoformat() if at.tzinfo is None else clock.isoformat(at)


def _time(at: time | str) -> str:
    return at.isoformat() if isinstance(at, time) else at
