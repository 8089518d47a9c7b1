"""A brute-force oracle of wall-clock schedules: it visits every UTC minute, looks up the zone's offset and compares fields.

It knows neither cron expressions nor the product: each case states its meaning as a predicate over wall-clock fields.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from zoneinfo import TZPATH, ZoneInfo, available_timezones

import numpy as np

MINUTE = timedelta(minutes=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST, LAST = (int((datetime(year, 1, 1, tzinfo=UTC) - EPOCH) / MINUTE) for year in (2020, 2038))
DAY = 1440


class Fields:
    """The wall fields of an array of wall minutes; the day of the week counts from Sunday as 0."""

    def __init__(self, walls: np.ndarray) -> None:
        days = walls // DAY
        dates = days.astype("datetime64[D]")
        months = dates.astype("datetime64[M]")
        self.minute, self.hour = walls % 60, walls % DAY // 60
        self.day = (dates - months).astype(int) + 1
        self.month = months.astype(int) % 12 + 1
        self.weekday = (days + 4) % 7
        self.left = ((months + 1).astype("datetime64[D]") - dates).astype(int) - 1  # days left in the month


@dataclass(frozen=True)
class Case:
    """A document, the predicate that it means, and whether it is fixed: once in a gap, once in an overlap."""

    document: dict[str, Any]
    fits: Callable[[Fields], np.ndarray]
    fixed: bool


def cron(expression: str, fixed: bool, fits: Callable[[Fields], np.ndarray]) -> Case:
    return Case({"kind": "cron", "cron": expression}, fits, fixed)


def at(hour: int, minute: int) -> Callable[[Fields], np.ndarray]:
    return lambda f: (f.hour == hour) & (f.minute == minute)


def within(values: np.ndarray, *members: int) -> np.ndarray:
    return np.isin(values, members)


CASES = [
    cron("* * * * *", False, lambda f: f.minute >= 0),
    cron("*/5 * * * *", False, lambda f: f.minute % 5 == 0),
    cron("*/7 * * * *", False, lambda f: f.minute % 7 == 0),
    cron("0 * * * *", False, lambda f: f.minute == 0),
    cron("30 * * * *", False, lambda f: f.minute == 30),
    cron("5,50 * * * *", False, lambda f: within(f.minute, 5, 50)),
    cron("15-20 * * * *", False, lambda f: within(f.minute, *range(15, 21))),
    cron("0 */2 * * *", False, lambda f: (f.minute == 0) & (f.hour % 2 == 0)),
    cron("30 */3 * * *", False, lambda f: (f.minute == 30) & (f.hour % 3 == 0)),
    cron("*/15 2 * * *", False, lambda f: (f.minute % 15 == 0) & (f.hour == 2)),
    cron("* 1 * * *", False, lambda f: f.hour == 1),
    cron("*/30 0-3 * * *", False, lambda f: (f.minute % 30 == 0) & (f.hour <= 3)),
    cron("*/10 * * * 0", False, lambda f: (f.minute % 10 == 0) & (f.weekday == 0)),
    cron("20 * * 3,10 *", False, lambda f: (f.minute == 20) & within(f.month, 3, 10)),
    *(cron(f"{m} {h} * * *", True, at(h, m)) for h in range(5) for m in (0, 30)),
    cron("1 0 * * *", True, at(0, 1)),
    cron("59 23 * * *", True, at(23, 59)),
    cron("0 23 * * *", True, at(23, 0)),
    cron("15 22 * * *", True, at(22, 15)),
    cron("45 12 * * *", True, at(12, 45)),
    cron("0 6 * * 1-5", True, lambda f: at(6, 0)(f) & within(f.weekday, 1, 2, 3, 4, 5)),
    cron("30 2 * * 0", True, lambda f: at(2, 30)(f) & (f.weekday == 0)),
    cron("30 1 * * 7", True, lambda f: at(1, 30)(f) & (f.weekday == 0)),
    cron("0 0 * * FRI,SUN", True, lambda f: at(0, 0)(f) & within(f.weekday, 5, 0)),
    cron("0,30 1-3 * * *", True, lambda f: within(f.minute, 0, 30) & within(f.hour, 1, 2, 3)),
    cron("10,20,40 0,2 * * *", True, lambda f: within(f.minute, 10, 20, 40) & within(f.hour, 0, 2)),
    cron("0-59/20 0-23 * * *", True, lambda f: within(f.minute, 0, 20, 40)),
    cron("5 0-23/2 * * *", True, lambda f: (f.minute == 5) & (f.hour % 2 == 0)),
    cron("30 2 L * *", True, lambda f: at(2, 30)(f) & (f.left == 0)),
    cron("0 3 1,15 * *", True, lambda f: at(3, 0)(f) & within(f.day, 1, 15)),
    cron("0 2 28-31 3,10 *", True, lambda f: at(2, 0)(f) & (f.day >= 28) & within(f.month, 3, 10)),
    cron("0 1 * * SUN#1", True, lambda f: at(1, 0)(f) & (f.weekday == 0) & (f.day <= 7)),
    cron("0 1 * * 0L", True, lambda f: at(1, 0)(f) & (f.weekday == 0) & (f.left < 7)),
    cron("30 2 13 * 0", True, lambda f: at(2, 30)(f) & ((f.day == 13) | (f.weekday == 0))),
    cron("30 2 */2 * 0", True, lambda f: at(2, 30)(f) & (f.day % 2 == 1) & (f.weekday == 0)),
    cron("@daily", True, at(0, 0)),
    cron("@hourly", False, lambda f: f.minute == 0),
    cron("@weekly", True, lambda f: at(0, 0)(f) & (f.weekday == 0)),
    Case({"kind": "rrule", "rrule": "FREQ=DAILY;BYHOUR=2;BYMINUTE=30"}, at(2, 30), True),
    Case({"kind": "rrule", "rrule": "FREQ=WEEKLY;BYDAY=SU;BYHOUR=0,1", "anchor": "2019-01-01T00:15:00"},
         lambda f: (f.minute == 15) & within(f.hour, 0, 1) & (f.weekday == 0), True),
]  # fmt: skip


class Walk:
    """UTC minutes from `start` to `end` in one zone, with what the wall shows at each."""

    LEAD = 2 * DAY  # walked before the window, so that an overlap that began there is known

    def __init__(self, zone: ZoneInfo, start: int, end: int) -> None:
        self.start, self.end = start, end
        self.utc = np.arange(start - self.LEAD, end)
        self.walls = self.utc + np.fromiter((offset_at(zone, int(minute)) for minute in self.utc), int, len(self.utc))
        self.fields = Fields(self.walls)
        skipped, lands = [], []
        for index in np.flatnonzero(np.diff(self.walls) > 1):
            gap = np.arange(self.walls[index] + 1, self.walls[index + 1])
            skipped.append(gap)
            lands.append(np.full(len(gap), self.utc[index + 1]))
        self.skipped = np.concatenate(skipped) if skipped else np.array([], int)
        self.lands = np.concatenate(lands) if lands else np.array([], int)
        self.skipped_fields = Fields(self.skipped)
        first = np.unique(self.walls, return_index=True)[1]
        self.is_first = np.zeros(len(self.walls), bool)
        self.is_first[first] = True

    def expected(self, case: Case) -> np.ndarray:
        """The UTC minutes at which the case is due."""
        hits = case.fits(self.fields)
        if case.fixed:
            in_gap = self.lands[case.fits(self.skipped_fields)]
            due = np.unique(np.concatenate([self.utc[hits & self.is_first], in_gap]))
        else:
            due = self.utc[hits]
        return due[due >= self.start]


def offset_at(zone: ZoneInfo, minute: int) -> int:
    return _minutes((EPOCH + minute * MINUTE).astimezone(zone).utcoffset())


def _minutes(offset: timedelta | None) -> int:
    assert offset is not None
    return int(offset / MINUTE)


def changes(zone: ZoneInfo, step: int) -> tuple[tuple[int, int], ...]:
    """The minutes from 2020 to 2037 at which a zone's offset changes, sampled every `step` minutes, with the new offsets."""
    instants = _instants(step)
    offsets = [instant.astimezone(zone).utcoffset() for instant in instants]
    moments = [(FIRST, _minutes(offsets[0]))]
    for index in range(1, len(offsets)):
        if offsets[index] != offsets[index - 1]:
            moments.append((_first_with(zone, index, step), _minutes(offsets[index])))
    return tuple(moments)


@cache
def _instants(step: int) -> list[datetime]:
    return [EPOCH + minute * MINUTE for minute in range(FIRST, LAST + step, step)]


def _first_with(zone: ZoneInfo, index: int, step: int) -> int:
    """The first minute of a step that begins with one offset and ends with another; an offset changes once within a step."""
    before, after = FIRST + (index - 1) * step, FIRST + index * step
    old = offset_at(zone, before)
    return before + 1 + bisect_left(range(before + 1, after), True, key=lambda m: offset_at(zone, m) != old)


def zones_by_behaviour(step: int) -> dict[tuple[tuple[int, int], ...], list[str]]:
    """All IANA zones, those together whose offsets are the same at every time from 2020 to 2037."""
    groups: dict[tuple[tuple[int, int], ...], list[str]] = {}
    for names in _zones_by_data().values():
        groups.setdefault(changes(ZoneInfo(names[0]), step), []).extend(names)
    return {behaviour: sorted(names) for behaviour, names in groups.items()}


def _zones_by_data() -> dict[bytes, list[str]]:
    """Zones whose files are equal byte for byte, most of which are aliases: sampling one of them is enough."""
    groups: dict[bytes, list[str]] = {}
    for name in sorted(available_timezones()):
        groups.setdefault(_data_of(name), []).append(name)
    return groups


def _data_of(name: str) -> bytes:
    for folder in TZPATH:
        if (file := Path(folder) / name).is_file():
            return file.read_bytes()
    package, _, resource = f"tzdata.zoneinfo.{name.replace('/', '.')}".rpartition(".")
    return resources.files(package).joinpath(resource).read_bytes()
