"""Site calendars: holidays, business days and blackouts, as plain objects inside a schedule's document.

A time on a closed day or in a blackout is skipped, or moved: from a closed day to the same wall time on the next open day, out of a
blackout to its end, and so on until it is allowed. A time that would be moved by more than 31 days is skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from appliance.kit import clock, options
from appliance.schedules import fields
from appliance.schedules.errors import ScheduleError
from appliance.schedules.zones import instant_of, wall_of

MOST_HOLIDAYS = 1000
MOST_BLACKOUTS = 30
MOST_STEPS = 100
FARTHEST = timedelta(days=31)
_DAY = timedelta(days=1)
_FIELDS = ("name", "holidays", "business_days", "blackouts", "when_closed")


class Blackout:
    """A window without runs, from `start` to just before `end`: two datetimes, or two times of day for every day.

    A daily window spans midnight when its end isn't after its start; `days` names the days of the week on which it starts.
    Datetimes without an offset are wall times of the schedule.
    """

    def __init__(
        self, start: datetime | time | str, end: datetime | time | str, days: Iterable[int | str] | None = None
    ) -> None:
        self._document: dict[str, Any] = {"start": _text(start), "end": _text(end)}
        if days is not None:
            self._document["days"] = [fields.weekday(day, "A blackout's day") for day in _listed("days", days)]
        _window(self._document, ZoneInfo("UTC"))

    def to_document(self) -> dict[str, Any]:
        """The JSON form."""
        return dict(self._document)


class Calendar:
    """When a site is open.

    `holidays` are dates, or strings such as "12-25" for every year. `business_days` are the open days of the week, all seven when None;
    days are names, or numbers as in cron. `when_closed` is "skip" or "move". Raises ScheduleError.
    """

    def __init__(
        self,
        holidays: Iterable[date | str] = (),
        business_days: Iterable[int | str] | None = None,
        blackouts: Iterable[Blackout] = (),
        when_closed: str = "skip",
        name: str = "",
    ) -> None:
        self._document: dict[str, Any] = {
            "name": name,
            "holidays": [str(day) for day in _listed("holidays", holidays)],
            "business_days": None
            if business_days is None
            else sorted({fields.weekday(day, "A business day") for day in _listed("business_days", business_days)}),
            "blackouts": [blackout.to_document() for blackout in _blackouts(blackouts)],
            "when_closed": when_closed,
        }
        Opening(self._document, ZoneInfo("UTC"))

    def to_document(self) -> dict[str, Any]:
        """The JSON form."""
        return dict(self._document)


def _listed(name: str, items: Iterable[Any]) -> list[Any]:
    if isinstance(items, str):
        raise TypeError(f"{name} must be a list; write [{items!r}].")
    return list(options.require(name, items, Iterable, "a list"))


def _blackouts(items: Iterable[Any]) -> list[Blackout]:
    return [
        options.require("each of blackouts", item, Blackout, "a Blackout(...)") for item in _listed("blackouts", items)
    ]


class Opening:
    """A calendar's document ready for use in one zone."""

    def __init__(self, document: object, zone: ZoneInfo) -> None:
        calendar = fields.require_fields(document, "The calendar", _FIELDS)
        self.zone = zone
        holidays = fields.items(calendar.get("holidays"), "The holidays", MOST_HOLIDAYS)
        yearly = [text for text in holidays if isinstance(text, str) and len(text) <= 5]
        self.every_year = {fields.day_of_year(text, "A holiday") for text in yearly}
        self.holidays = {fields.day(text, "A holiday") for text in holidays if text not in yearly}
        days = calendar.get("business_days")
        business_days = fields.items(days, "The business days", 7)
        self.weekdays = (
            set(range(7))
            if days is None
            else {fields.weekday(day, "A business day") for day in _listed("business_days", business_days)}
        )
        if not self.weekdays:
            raise ScheduleError("A calendar needs at least one business day.")
        windows = fields.items(calendar.get("blackouts"), "The blackouts", MOST_BLACKOUTS)
        self.windows = [_window(window, zone) for window in windows]
        self.moves = calendar.get("when_closed", "skip") == "move"
        if calendar.get("when_closed", "skip") not in ("skip", "move"):
            raise ScheduleError("A calendar's when_closed must be 'skip' or 'move'.")
        name = calendar.get("name", "")
        if not isinstance(name, str):
            raise ScheduleError("A calendar's name must be a string.")
        self._of_name = f" (calendar {name[:60]})" if name else ""

    def place(self, at: datetime) -> Placing:
        """Where a time goes: itself if it is allowed, else the time it is moved to, or None if it is skipped."""
        reached, steps, shut = at, 0, at
        while steps < MOST_STEPS and reached - at <= FARTHEST:
            steps += 1
            wall = wall_of(reached, self.zone)
            if self.closed(wall.date()):
                onward = self._same_time_when_open(wall) if self.moves else None
            else:
                onward = max([reached, *(end for _, end in self._around(reached, wall.date()) if end is not None)])
                if onward == reached:
                    return Placing(reached, shut, steps)
                shut = onward if shut == reached else shut
            if onward is None or not self.moves:
                break
            reached = onward
        return Placing(None, shut, steps)

    def closed(self, day: date) -> bool:
        """Whether the day is a holiday or not a business day."""
        return (
            day.isoweekday() % 7 not in self.weekdays or day in self.holidays or (day.month, day.day) in self.every_year
        )

    def why(self, at: datetime) -> str:
        """Why a time is not allowed, in words."""
        wall = wall_of(at, self.zone)
        day = wall.date()
        if day in self.holidays or (day.month, day.day) in self.every_year:
            return f"{day.day} {day.strftime('%B')} is a holiday{self._of_name}"
        if day.isoweekday() % 7 not in self.weekdays:
            return f"{day.strftime('%A')} isn't a business day{self._of_name}"
        ends = [end for _, end in self._around(at, day) if end is not None]
        until = wall_of(max(ends), self.zone) if ends else wall
        return f"Blackout until {until.day} {until.strftime('%B %H:%M')}{self._of_name}"

    def reaches_back(self, after: datetime) -> datetime:
        """The earliest instant that can be moved past `after`, or one before it."""
        if not self.moves:
            return after
        earliest, before = after, None
        while earliest != before and after - earliest <= FARTHEST:
            before = earliest
            day = wall_of(earliest, self.zone).date()
            first = day if self.closed(day) else day - _DAY
            while self.closed(first) and day - first <= FARTHEST:
                first -= _DAY
            if first + _DAY < day or self.closed(day):
                earliest = instant_of(datetime.combine(first + _DAY, time()), self.zone)
            day = wall_of(earliest, self.zone).date()
            earliest = min([earliest, *(start for start, _ in self._around(earliest, day) if start is not None)])
        return max(earliest, after - FARTHEST - _DAY)

    def _same_time_when_open(self, wall: datetime) -> datetime | None:
        for days in range(1, FARTHEST.days + 1):
            if not self.closed(wall.date() + days * _DAY):
                return instant_of(wall + days * _DAY, self.zone)
        return None

    def _around(self, at: datetime, day: date) -> Iterator[tuple[datetime | None, datetime | None]]:
        """For each blackout that contains the instant, its start and end; for each that ends there, only the start."""
        for window in self.windows:
            for start, end in window.on(day):
                if start <= at < end:
                    yield start, end
                elif start < end == at:
                    yield start, None


@dataclass(frozen=True)
class Placing:
    """Where a calendar places a time; up to `shut` blackouts are contiguous, and `steps` counts the work done."""

    at: datetime | None
    shut: datetime
    steps: int


class _Dated:
    def __init__(self, start: datetime, end: datetime) -> None:
        if end <= start:
            raise ScheduleError("The end of a blackout must be after its start.")
        self._edges = [(start, end)]

    def on(self, _day: date) -> list[tuple[datetime, datetime]]:
        """The windows that may contain an instant of the wall day."""
        return self._edges


class _Daily:
    def __init__(self, start: time, end: time, days: set[int], zone: ZoneInfo) -> None:
        self._start, self._end, self._days, self._zone = start, end, days, zone
        self._known: dict[date, list[tuple[datetime, datetime]]] = {}

    def on(self, day: date) -> list[tuple[datetime, datetime]]:
        """The windows that may contain an instant of the wall day."""
        if day not in self._known:
            self._known[day] = [self._of(start) for start in (day - _DAY, day) if start.isoweekday() % 7 in self._days]
        return self._known[day]

    def _of(self, day: date) -> tuple[datetime, datetime]:
        last = day + _DAY if self._end <= self._start else day
        start, end = datetime.combine(day, self._start), datetime.combine(last, self._end)
        return instant_of(start, self._zone), instant_of(end, self._zone)


def _window(document: object, zone: ZoneInfo) -> _Dated | _Daily:
    blackout = fields.require_fields(document, "A blackout", ("start", "end", "days"))
    start, end = blackout.get("start"), blackout.get("end")
    if not all(isinstance(text, str) for text in (start, end)):
        raise ScheduleError(
            "A blackout has a start and an end: two times of day such as '22:00', or two dates with times."
        )
    if len(str(start)) > 9 or len(str(end)) > 9:
        if blackout.get("days") is not None:
            raise ScheduleError("A blackout with dates can't have days; remove them.")
        edges = [fields.instant(text, "The start and the end of a blackout", zone) for text in (start, end)]
        return _Dated(*edges)
    days = blackout.get("days")
    weekdays = fields.items(days, "A blackout's days", 7)
    numbers = set(range(7)) if days is None else {fields.weekday(day, "A blackout's day") for day in weekdays}
    first, last = (fields.time_of_day(text, "The start and the end of a blackout") for text in (start, end))
    return _Daily(first, last, numbers, zone)


def _text(edge: datetime | time | str) -> str:
    options.require("start and end of a Blackout", edge, (datetime, time, str), "datetimes, times of day, or strings")
    if isinstance(edge, datetime) and edge.tzinfo is not None:
        return clock.isoformat(edge)
    return edge if isinstance(edge, str) else edge.isoformat()
