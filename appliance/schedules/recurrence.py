"""Recurrence rules, the RRULE of RFC 5545, as wall times without an offset. All work is bounded, whatever the rule.

A rule is a string such as FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=6. Parts that it omits come from its start, as the RFC says. It counts in
periods of its frequency: in each INTERVAL-th, the days that match every BY part, at every time of day, and of these the ones that
BYSETPOS picks. BYWEEKNO counts ISO weeks. Not in the grammar: BYEASTER, EXDATE and RDATE (filters and calendars do that).
"""

from __future__ import annotations

import threading
from calendar import isleap, monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import islice
from math import prod
from typing import NoReturn

from appliance.kit import effort
from appliance.schedules.errors import ScheduleError

LONGEST = 1000
MOST_COUNTED = 1000
MOST_A_DAY = 1440
MOST_IDLE = {"YEARLY": 150, "MONTHLY": 1_800, "WEEKLY": 6_000}
"""This many consecutive periods without a time mean that the rule is never due; 20,000 for the shorter ones."""
_MOST_TO_COUNT = 20_000
"""Periods in which the times of a COUNT must lie."""
_FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_SECONDS = {"HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}
_NUMBERS = {  # part -> (lowest, highest, whether negative ones count from the end)
    "BYMONTH": (1, 12, False),
    "BYMONTHDAY": (1, 31, True),
    "BYYEARDAY": (1, 366, True),
    "BYWEEKNO": (1, 53, True),
    "BYHOUR": (0, 23, False),
    "BYMINUTE": (0, 59, False),
    "BYSECOND": (0, 59, False),
    "BYSETPOS": (1, 366, True),
}
_LAST_YEAR = 8999


class _Work(threading.local):
    """How many periods and days this thread has looked at: what a caller that asks again and again must bound."""

    steps = 0


work = _Work()


@dataclass(frozen=True)
class Rule:
    """A parsed rule; `parts` holds its BY numbers, `weekdays` pairs of weekday (0 is Monday) and n-th, 0 for every."""

    text: str
    frequency: str
    interval: int
    count: int | None
    until: datetime | None
    last: datetime | None  # the instant of an UNTIL in UTC; `until` is then a wall time that no zone reaches before
    week_start: int
    parts: dict[str, tuple[int, ...]]
    weekdays: tuple[tuple[int, int], ...]

    def walls(self, start: datetime, after: datetime) -> Iterator[datetime]:
        """The wall times from `start` on that are after `after`, increasing; with a COUNT, all from `start` on are visited."""
        series = self._counted(start, after) if self.count is None else islice(self._counted(start, start), self.count)
        for wall in series:
            if self.until is not None and wall > self.until:
                return
            if wall > after:
                yield wall

    def _counted(self, start: datetime, after: datetime) -> Iterator[datetime]:
        series = _Series(self, start)
        number = series.period_of(max(start, after))
        idle, most = 0, MOST_IDLE.get(self.frequency, 20_000)
        since, looked = max(start, after).date(), 0
        while (period := series.period(number)) is not None:
            productive = False
            work.steps += 1 + len(period.days)
            effort.spend(2 + len(period.days) // 2)
            looked += 1
            if self.count is not None and looked > _MOST_TO_COUNT:
                raise ScheduleError(
                    f"The times of the recurrence rule {self.text!r} are too far apart to be counted; give it an UNTIL instead of its COUNT."
                )
            for wall in series.walls(period, since):
                if wall >= start:
                    productive = True
                    yield wall
            idle = 0 if productive else idle + 1
            if idle > most:
                raise ScheduleError(f"The recurrence rule {self.text!r} is never due; correct its BY parts.")
            number = series.following(number, productive)


@dataclass(frozen=True)
class _Period:
    """The days of a period; if it is shorter than a day, the day that contains it, with its beginning."""

    days: list[date]
    begins: datetime | None


class _Series:
    """A rule with its start: periods are numbered from 0, the one that contains the start; only each INTERVAL-th counts."""

    def __init__(self, rule: Rule, start: datetime) -> None:
        self.rule = rule
        self.start = start
        self.unit = _SECONDS.get(rule.frequency)
        parts = rule.parts
        self.times = [parts.get(name) for name in ("BYHOUR", "BYMINUTE", "BYSECOND")]
        rank = max(
            0, _FREQUENCIES.index(rule.frequency) - 3
        )  # how many fields of the time of day the period itself gives
        for index, value in enumerate((start.hour, start.minute, start.second)):
            if index >= rank and self.times[index] is None:
                self.times[index] = (value,)
        self.fits = _day_test(rule, start)

    def period_of(self, wall: datetime) -> int:
        """The counting period that contains the wall time, or the one before it."""
        rule, start = self.rule, self.start
        if rule.frequency == "YEARLY":
            number = wall.year - start.year
        elif rule.frequency == "MONTHLY":
            number = (wall.year - start.year) * 12 + wall.month - start.month
        elif self.unit is None:
            days = 7 if rule.frequency == "WEEKLY" else 1
            number = (wall.date() - self._first_day()).days // days
        else:
            number = int((wall - self._first()).total_seconds()) // self.unit
        return number // rule.interval * rule.interval

    def following(self, number: int, productive: bool) -> int:
        """The next counting period; if shorter than a day, one that is not on a day or in an hour without times."""
        step = self.rule.interval
        if productive or self.unit is None:
            return number + step
        wall = self._first() + timedelta(seconds=self.unit * number)
        hours, minutes, _ = self.times
        if not self.fits(wall.date()):
            target = datetime.combine(wall.date() + timedelta(days=1), datetime.min.time())
        elif hours is not None and wall.hour not in hours:
            target = wall.replace(minute=0, second=0) + timedelta(hours=1)
        elif minutes is not None and wall.minute not in minutes and self.unit == 1:
            target = wall.replace(second=0) + timedelta(minutes=1)
        else:
            return number + step
        ahead = -(-int((target - self._first()).total_seconds()) // self.unit)
        return max(number + step, -(-ahead // step) * step)

    def walls(self, period: _Period, since: date) -> Iterator[datetime]:
        """The wall times of a period from the day `since` on, picked by BYSETPOS."""
        hours, minutes, seconds = (
            _narrow(values, period.begins, index, self.unit) for index, values in enumerate(self.times)
        )
        moments = [(hour, minute, second) for hour in hours for minute in minutes for second in seconds]
        places = self.rule.parts.get("BYSETPOS")
        days = (day for day in period.days if (places or day >= since) and moments and self.fits(day))
        times = (datetime(day.year, day.month, day.day, *moment) for day in days for moment in moments)  # noqa: DTZ001
        if places is None:
            yield from times
            return
        whole = list(times)
        indexes = {place - 1 if place > 0 else len(whole) + place for place in places}
        yield from (wall for index, wall in enumerate(whole) if index in indexes)

    def period(self, number: int) -> _Period | None:
        """The period with that number; None if it is beyond the calendar."""
        try:
            period = self._period(number)
        except (OverflowError, ValueError):
            return None
        return period if period.days[-1].year <= _LAST_YEAR else None

    def _period(self, number: int) -> _Period:
        frequency, start = self.rule.frequency, self.start
        if self.unit is not None:
            begins = self._first() + timedelta(seconds=self.unit * number)
            return _Period([begins.date()], begins)
        if frequency == "YEARLY":
            year = start.year + number
            first, length = date(year, 1, 1), 366 if isleap(year) else 365
        elif frequency == "MONTHLY":
            year, month = divmod(start.year * 12 + start.month - 1 + number, 12)
            first, length = date(year, month + 1, 1), monthrange(year, month + 1)[1]
        else:
            length = 7 if frequency == "WEEKLY" else 1
            first = self._first_day() + timedelta(days=number * length)
        return _Period([first + timedelta(days=offset) for offset in range(length)], None)

    def _first_day(self) -> date:
        day = self.start.date()
        if self.rule.frequency == "WEEKLY":
            day -= timedelta(days=(day.weekday() - self.rule.week_start) % 7)
        return day

    def _first(self) -> datetime:
        """The beginning of the period, shorter than a day, that contains the start."""
        whole = {3600: {"minute": 0, "second": 0}, 60: {"second": 0}, 1: {}}[self.unit or 1]
        return self.start.replace(microsecond=0, **whole)  # type: ignore[arg-type]


def _narrow(values: tuple[int, ...] | None, moment: datetime | None, index: int, unit: int | None) -> tuple[int, ...]:
    """The values of hour, minute or second that a period allows: only one if the period itself determines it."""
    from_period = moment is not None and unit is not None and index <= {3600: 0, 60: 1, 1: 2}[unit]
    if not from_period:
        return values or (0,)
    assert moment is not None
    value = (moment.hour, moment.minute, moment.second)[index]
    return (value,) if values is None or value in values else ()


def _day_test(rule: Rule, start: datetime) -> Callable[[date], bool]:
    parts = dict(rule.parts)
    weekdays = rule.weekdays
    if not weekdays and not {"BYMONTHDAY", "BYYEARDAY", "BYWEEKNO"} & parts.keys():
        if rule.frequency == "WEEKLY":
            weekdays = ((start.weekday(), 0),)
        elif rule.frequency in ("MONTHLY", "YEARLY"):
            parts["BYMONTHDAY"] = (start.day,)
            if rule.frequency == "YEARLY":
                parts.setdefault("BYMONTH", (start.month,))
    in_month = rule.frequency == "MONTHLY" or "BYMONTH" in parts
    tests = [test(parts[name]) for name, test in _DAY_TESTS.items() if name in parts]
    if weekdays:
        tests.append(lambda day: any(_is_nth(day, weekday, nth, in_month) for weekday, nth in weekdays))
    return lambda day: all(test(day) for test in tests)


def _of(day_numbers: Callable[[date], tuple[int, int]]) -> Callable[[tuple[int, ...]], Callable[[date], bool]]:
    """A test of a day by its number from the start or, if negative, from the end."""

    def test_of(values: tuple[int, ...]) -> Callable[[date], bool]:
        numbers = set(values)
        return lambda day: not numbers.isdisjoint(day_numbers(day))

    return test_of


def _of_month(day: date) -> tuple[int, int]:
    return day.day, day.day - monthrange(day.year, day.month)[1] - 1


def _of_year(day: date) -> tuple[int, int]:
    number = day.timetuple().tm_yday
    return number, number - (366 if isleap(day.year) else 365) - 1


def _of_weeks(day: date) -> tuple[int, int]:
    year, week, _ = day.isocalendar()
    return week, week - date(year, 12, 28).isocalendar()[1] - 1


_DAY_TESTS = {
    "BYMONTH": _of(lambda day: (day.month, day.month)),
    "BYMONTHDAY": _of(_of_month),
    "BYYEARDAY": _of(_of_year),
    "BYWEEKNO": _of(_of_weeks),
}


def _is_nth(day: date, weekday: int, nth: int, in_month: bool) -> bool:
    if day.weekday() != weekday:
        return False
    front, back = _of_month(day) if in_month else _of_year(day)
    return nth == 0 or nth == (front + 6) // 7 or nth == -((-back + 6) // 7)


@lru_cache(maxsize=512)
def parse(text: str) -> Rule:
    """Parse a rule; a leading RRULE: is allowed. Raises ScheduleError with one sentence."""
    if len(text) > LONGEST:
        raise ScheduleError(f"A recurrence rule has at most {LONGEST} characters.")
    parts: dict[str, str] = {}
    for item in text.strip().upper().removeprefix("RRULE:").strip(";").split(";"):
        name, equals, value = item.partition("=")
        if not equals or not value or name in parts:
            _refuse(text, f"{item[:30]!r} is not a part such as FREQ=DAILY, or occurs twice")
        parts[name] = value
    frequency = parts.pop("FREQ", "")
    if frequency not in _FREQUENCIES:
        _refuse(text, "FREQ must be one of " + ", ".join(_FREQUENCIES))
    week_start = parts.pop("WKST", "MO")
    if week_start not in _DAYS:
        _refuse(text, "WKST must be a day such as MO")
    until, last = _until(text, parts.pop("UNTIL")) if "UNTIL" in parts else (None, None)
    rule = Rule(
        text,
        frequency,
        _single(text, "INTERVAL", parts.pop("INTERVAL", "1"), 1, 100_000),
        _single(text, "COUNT", parts.pop("COUNT"), 1, MOST_COUNTED) if "COUNT" in parts else None,
        until,
        last,
        _DAYS.index(week_start),
        weekdays=tuple(_weekday(text, item) for item in parts.pop("BYDAY").split(",")) if "BYDAY" in parts else (),
        parts={name: _numbers(text, name, value) for name, value in parts.items()},
    )
    _require_sense(rule)
    return rule


def _require_sense(rule: Rule) -> None:
    if rule.count is not None and rule.until is not None:
        _refuse(rule.text, "COUNT and UNTIL can't be combined")
    if any(nth for _, nth in rule.weekdays) and (
        rule.frequency not in ("MONTHLY", "YEARLY") or "BYWEEKNO" in rule.parts
    ):
        _refuse(rule.text, "a number before a day, as in 2FR, needs FREQ=MONTHLY or YEARLY and no BYWEEKNO")
    if "BYWEEKNO" in rule.parts and (rule.frequency != "YEARLY" or rule.week_start != 0):
        _refuse(rule.text, "BYWEEKNO needs FREQ=YEARLY and weeks that start on Monday")
    a_day = prod(len(rule.parts.get(name, (0,))) for name in ("BYHOUR", "BYMINUTE", "BYSECOND"))
    if a_day > MOST_A_DAY or ("BYSETPOS" in rule.parts and a_day > MOST_A_DAY // 60):
        _refuse(rule.text, f"it has more than {MOST_A_DAY} times a day, or {MOST_A_DAY // 60} with BYSETPOS")
    if "BYSETPOS" in rule.parts and len(rule.parts) == 1 and not rule.weekdays:
        _refuse(rule.text, "BYSETPOS needs another BY part to pick from")


def _numbers(text: str, name: str, value: str) -> tuple[int, ...]:
    if name not in _NUMBERS:
        _refuse(text, f"there is no part {name[:30]!r}")
    low, high, negative = _NUMBERS[name]
    numbers = {_single(text, name, item, -high if negative else low, high) for item in value.split(",")}
    if negative and 0 in numbers:
        _refuse(text, f"{name} can't be 0")
    return tuple(sorted(numbers))


def _single(text: str, name: str, value: str, low: int, high: int) -> int:
    digits = value.removeprefix("-" if low < 0 else "+").removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 6) or not low <= int(value) <= high:
        _refuse(text, f"{name} must be a whole number from {low} to {high}")
    return int(value)


def _weekday(text: str, item: str) -> tuple[int, int]:
    day, number = item[-2:], item[:-2]
    if day not in _DAYS:
        _refuse(text, f"BYDAY has no day {item[:20]!r}")
    nth = _single(text, "the number before a day", number, -53, 53) if number else 0
    if number and nth == 0:
        _refuse(text, "the number before a day can't be 0")
    return _DAYS.index(day), nth


def _until(text: str, value: str) -> tuple[datetime, datetime | None]:
    """The last wall time, and the last instant if the value has a Z."""
    try:
        until = datetime.fromisoformat(value.removesuffix("Z"))
    except ValueError:
        _refuse(text, "UNTIL must be a time such as 20261231T235959, or 20261231T235959Z in UTC")
    if until.tzinfo is not None:
        _refuse(text, "UNTIL is a wall time, or a time in UTC with Z at its end")
    until = until.replace(hour=23, minute=59, second=59) if "T" not in value else until
    if not value.endswith("Z"):
        return until, None
    return until + timedelta(days=2 if until.year <= _LAST_YEAR else 0), until.replace(tzinfo=UTC)


def _refuse(text: str, why: str) -> NoReturn:
    excerpt = text if len(text) <= 80 else text[:80] + "..."
    raise ScheduleError(
        f"The recurrence rule {excerpt!r} is not valid: {why}; write one such as FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=6."
    )
