"""Applies filters, adjustments and a calendar to the times of one clock, in this order. All work is bounded.

A time passes when it passes all `filters`, one of the `or_filters` (if there are any), and none of the `not_filters`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from heapq import heappop, heappush
from itertools import islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

from appliance.kit import effort
from appliance.schedules import recurrence
from appliance.schedules.adjustments import moves_of
from appliance.schedules.calendars import Opening
from appliance.schedules.errors import ScheduleError
from appliance.schedules.filters import checks_of
from appliance.schedules.series import Series
from appliance.schedules.zones import EARLIEST, LATEST, instant_of, wall_of

FIELDS = ("filters", "or_filters", "not_filters", "adjustments", "calendar")
MOST_LOOKED_AT = 10_000
"""This many consecutive times of which none counts are an error, never a silent end."""
MOST_DISPLACED = 1_000
MOST_MOVED = 100
"""This many times of one closed day are moved; the others of that day are skipped."""
_STEPS_LIKE_A_TIME = 5
"""The clock's own work counts, too: a recurrence rule may look at thousands of periods to find its next time."""
_TICK = timedelta(microseconds=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Displaced:
    """A time that the calendar moves to another, or drops: `to` is None."""

    at: datetime
    to: datetime | None
    reason: str


class Selection:
    """The rules of one schedule document, ready for use in its zone."""

    def __init__(self, document: Mapping[str, Any], zone: ZoneInfo) -> None:
        self.zone = zone
        self.every, self.some, self.none = (checks_of(document.get(key), f"The {key}", zone) for key in FIELDS[:3])
        self.moves = moves_of(document.get("adjustments"), zone)
        calendar = document.get("calendar")
        self.opening = None if calendar is None else Opening(calendar, zone)
        self.first = max([EARLIEST, *(check.window[0] for check in self.every)])
        self.last = min([LATEST, *(check.window[1] for check in self.every)])
        self.least = sum((min(timedelta(0), move.least) for move in self.moves), timedelta(0))
        self.most = sum((max(timedelta(0), move.most) for move in self.moves), timedelta(0))

    def pick(self, series: Series, after: datetime) -> Iterator[datetime]:
        """The times after `after` that count, increasing; `series` gives a clock's times after an instant. Raises ScheduleError."""
        waiting: list[datetime] = []  # moved times, until no earlier one can come any more
        newest = after
        search = _Search(self, series, after)
        for candidate, moved in search:
            if moved is not None and moved > newest and moved not in waiting:
                heappush(waiting, moved)
                search.looked = 0
            while waiting and waiting[0] <= candidate + self.least:
                newest = heappop(waiting)
                yield newest
            if search.looked > MOST_LOOKED_AT:
                raise ScheduleError(
                    f"None of {MOST_LOOKED_AT:,} consecutive times of the schedule passes its filters and calendar; "
                    "change them, or use a clock that is due less often."
                )
        while waiting:
            yield heappop(waiting)

    def displaced(self, series: Series, after: datetime, until: datetime) -> Iterator[Displaced]:
        """The times up to `until` that pass the filters and that the calendar moves or drops, looking at no more than a bounded number."""
        if self.opening is None:
            return
        times = takewhile(lambda at: at <= until, series(max(EARLIEST, self.reaches_back(after))))
        for at in islice(times, MOST_DISPLACED):
            effort.spend(3)
            if not self.verdict(at, wall_of(at, self.zone))[0]:
                continue
            for move in self.moves:
                at = move.apply(at)
            to = self.opening.place(at).at
            if to != at:
                yield Displaced(at, to, self.opening.why(at))

    def reaches_back(self, after: datetime) -> datetime:
        """The earliest instant at which a clock's time can be moved past `after`."""
        return (after if self.opening is None else self.opening.reaches_back(after)) - self.most

    def verdict(self, at: datetime, wall: datetime) -> tuple[bool, datetime | None]:
        """Whether a time passes the filters and, if not, the next wall time that can pass, None if unknown."""
        for check in self.every:
            if not check.passes(at, wall):
                return False, check.reopens(wall) if check.reopens else None
        if self.some and not any(check.passes(at, wall) for check in self.some):
            reopenings = [check.reopens(wall) if check.reopens else None for check in self.some]
            known = [wall for wall in reopenings if wall is not None]
            return False, min(known) if len(known) == len(reopenings) else None
        for check in self.none:
            if check.passes(at, wall):
                return False, check.ends(wall) if check.ends else None
        return True, None


class _Search:
    """The clock's times, each with its final place or None; stretches that can't yield any are skipped."""

    def __init__(self, selection: Selection, series: Series, after: datetime) -> None:
        self.selection, self.series = selection, series
        self.start = max(EARLIEST, selection.first - _TICK, selection.reaches_back(after))
        self.weight = (len(selection.every) + len(selection.some) + len(selection.none) + len(selection.moves)) // 10
        self.looked = 0  # the work since the last time that counted
        self._closed_day: date | None = None
        self._on_closed_day = 0

    def __iter__(self) -> Iterator[tuple[datetime, datetime | None]]:
        zone = self.selection.zone
        times, before = self.series(self.start), recurrence.work.steps
        while (at := next(times, None)) is not None and at <= self.selection.last:
            steps, before = recurrence.work.steps - before, recurrence.work.steps
            self.looked += 1 + steps // _STEPS_LIKE_A_TIME
            effort.spend(3 + self.weight)
            wall = wall_of(at, zone)
            counts, reopens = self.selection.verdict(at, wall)
            onward = None if reopens is None else _onward(at, reopens, zone)
            moved = None
            if counts:
                moved, onward = self._placed(at, wall)
            yield at, moved
            if onward is not None and onward > at:
                times = self.series(onward - _TICK)

    def _placed(self, at: datetime, wall: datetime) -> tuple[datetime | None, datetime | None]:
        """Where adjustments and calendar place a time, and until when the following times would have the same fate."""
        selection, opening = self.selection, self.selection.opening
        adjusted = at
        for move in selection.moves:
            adjusted = move.apply(adjusted)
        if opening is None:
            return adjusted, None
        placing = opening.place(adjusted)
        self.looked += placing.steps - 1
        if selection.moves or placing.at == at:
            return placing.at, None
        if not opening.closed(wall.date()):
            return placing.at, placing.shut
        self._on_closed_day = self._on_closed_day + 1 if self._closed_day == wall.date() else 1
        self._closed_day = wall.date()
        over = not opening.moves or self._on_closed_day >= MOST_MOVED
        return placing.at, _onward(at, _next_day(wall), selection.zone) if over else None


def _onward(at: datetime, wall: datetime, zone: ZoneInfo) -> datetime | None:
    """The instant of a later wall time; None if the offset changes before it, because wall times may then occur twice."""
    target = instant_of(wall, zone)
    changes = target.astimezone(zone).utcoffset() != at.astimezone(zone).utcoffset()
    return None if changes and wall.time() != time() else target  # of a whole day that is shut none counts either way


def _next_day(wall: datetime) -> datetime:
    return datetime.combine(wall.date() + _DAY, time())
