"""Cron expressions: the grammar, and the times that an expression describes.

Five fields: minute hour day-of-month month day-of-week; with six, the first is the second. A field is a comma-separated list of
`*`, a value, a range `a-b`, or one of the three with a step: `*/n`, `a/n` (from a to the end), `a-b/n`; n is at least 1.
Months are 1-12 or JAN-DEC; days of the week 0-7 or SUN-SAT, where 0 and 7 are both Sunday; case doesn't matter.
Day-of-month supports `L`, the last day of the month, and `LW`, its last weekday; day-of-week supports `5L`, the last
Friday, and `5#2`, the second Friday of the month. Aliases: @hourly @daily @midnight @weekly @monthly @yearly @annually.

When neither day field starts with `*`, a day that matches either counts, or, without `day_or`, one that matches both. Otherwise it must
match both.
An expression is fixed when no field of its time of day starts with `*`: a time in a gap is due once, at the first instant after it, and
a time in an overlap once, at its first occurrence. Any other is wild: due at every instant whose wall time matches, so not in a gap
and twice in an overlap. Nothing else is in the grammar: no W, ?, H, R and no @reboot.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from appliance.kit.plurals import counted
from appliance.schedules.errors import ScheduleError
from appliance.schedules.zones import DAY, EPOCH, stretches

ALIASES = {
    "@HOURLY": "0 * * * *",
    "@DAILY": "0 0 * * *",
    "@MIDNIGHT": "0 0 * * *",
    "@WEEKLY": "0 0 * * 0",
    "@MONTHLY": "0 0 1 * *",
    "@YEARLY": "0 0 1 1 *",
    "@ANNUALLY": "0 0 1 1 *",
}
LONGEST = 1000
LAST = -1
LAST_WEEKDAY = -2
_YEARS = 41
"""A date that occurs at all occurs within this many years: the longest wait is for 29 February on a certain day of the week."""
_ORDINAL = EPOCH.toordinal()
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("second", 0, 59, {}),
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day-of-month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day-of-week", 0, 7, {name: number for number, name in enumerate(_DAYS)}),
)


@dataclass(frozen=True, eq=False)
class Cron:
    """A parsed expression; equal strings yield the same object while it is cached."""

    expression: str
    fields: tuple[str, ...]  # six texts, the seconds first
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]  # 1-31, LAST, LAST_WEEKDAY
    months: tuple[int, ...]
    weekdays: frozenset[int]  # 0 is Sunday
    nth_weekdays: frozenset[tuple[int, int]]  # (day, n-th or LAST of the month)
    both_days: bool
    wild: bool

    def instants(self, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
        """The times strictly after `after`, in UTC, increasing."""
        last = (after - EPOCH) // timedelta(seconds=1)
        reached = None  # the latest wall time that the zone has shown so far
        for start, end, offset in stretches(zone, last - DAY):
            low = max(start, last + 1) + offset
            if reached is not None and not self.wild:
                if start > last and any(True for _ in self.walls(reached, start + offset)):
                    yield EPOCH + timedelta(seconds=start)
                    low = max(low, start + offset + 1)
                low = max(low, reached)
            for wall in self.walls(low, end + offset):
                yield EPOCH + timedelta(seconds=wall - offset)
            reached = end + offset if reached is None else max(reached, end + offset)

    def walls(self, low: int, high: int) -> Iterator[int]:
        """The matching wall times, at least `low` and less than `high`, in wall seconds since 1970."""
        if low >= high:
            return
        for day in self._dates(low // DAY, (high - 1) // DAY):
            base = day * DAY
            for second in self._of_day(low - base):
                if base + second >= high:
                    return
                yield base + second

    def _dates(self, first: int, last: int) -> Iterator[int]:
        start = date.fromordinal(_ORDINAL + first)
        year, month = start.year, start.month
        while date(year, month, 1).toordinal() - _ORDINAL <= last:
            for day in _dates_of_month(self, year, month):
                if first <= day <= last:
                    yield day
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)

    def _of_day(self, least: int) -> Iterator[int]:
        for hour in self.hours:
            if hour * 3600 + 3599 < least:
                continue
            for minute in self.minutes:
                start = hour * 3600 + minute * 60
                if start + 59 < least:
                    continue
                for second in self.seconds:
                    if start + second >= least:
                        yield start + second

    def fits(self, day: date) -> bool:
        """Whether the day matches the day fields; the month is ignored."""
        weekday = day.isoweekday() % 7
        length = monthrange(day.year, day.month)[1]
        of_month = day.day in self.days or (day.day == length and LAST in self.days)
        if not of_month and LAST_WEEKDAY in self.days and 1 <= weekday <= 5:
            of_month = day.day == length or (weekday == 5 and day.day >= length - 2)
        of_week = weekday in self.weekdays or (weekday, (day.day + 6) // 7) in self.nth_weekdays
        of_week = of_week or (day.day + 7 > length and (weekday, LAST) in self.nth_weekdays)
        return (of_month and of_week) if self.both_days else (of_month or of_week)


@lru_cache(maxsize=512)
def parse(expression: str, day_or: bool = True) -> Cron:
    """Parse an expression. Raises ScheduleError with one sentence, also for one that is never due."""
    if len(expression) > LONGEST:
        raise ScheduleError(f"A cron expression has at most {LONGEST} characters; write ranges and steps.")
    text = expression.strip().upper()
    if text == "@REBOOT":
        raise ScheduleError("A schedule can't use @reboot, which is not a time; start the run when the machine boots.")
    fields = tuple(ALIASES.get(text, text).split())
    if len(fields) not in (5, 6):
        _refuse(expression, f"it has {counted(len(fields), 'field')}")
    fields = ("0", *fields) if len(fields) == 5 else fields
    values = [_field(expression, index, field) for index, field in enumerate(fields)]
    plain = [tuple(sorted(x for x in items if isinstance(x, int))) for items in values]
    cron = Cron(
        expression,
        fields,
        seconds=plain[0],
        minutes=plain[1],
        hours=plain[2],
        days=frozenset(plain[3]),
        months=plain[4],
        weekdays=frozenset(x % 7 for x in plain[5]),
        nth_weekdays=frozenset(x for x in values[5] if isinstance(x, tuple)),
        both_days=not day_or or fields[3].startswith("*") or fields[5].startswith("*"),
        wild=any(field.startswith("*") for field in fields[:3]),
    )
    years = range(2000, 2000 + _YEARS)
    if not any(_dates_of_month(cron, year, month) for year in years for month in cron.months):
        raise ScheduleError(f"The cron expression {expression!r} is never due; correct its day and month.")
    return cron


@lru_cache(maxsize=8192)
def _dates_of_month(cron: Cron, year: int, month: int) -> tuple[int, ...]:
    if month not in cron.months:
        return ()
    days = (date(year, month, day) for day in range(1, monthrange(year, month)[1] + 1))
    return tuple(day.toordinal() - _ORDINAL for day in days if cron.fits(day))


def _field(expression: str, index: int, text: str) -> set[Any]:
    values: set[Any] = set()
    for term in text.split(","):
        items = _special(expression, index, term)
        values |= _term(expression, index, term) if items is None else items
    return values


def _special(expression: str, index: int, term: str) -> set[Any] | None:
    """`L` and `LW` of days, `5L` and `5#2` of days of the week; None for everything else."""
    if index == 3 and term in ("L", "LW"):
        return {LAST if term == "L" else LAST_WEEKDAY}
    if index == 5 and len(term) > 1 and term.endswith("L"):
        return {(_number(expression, index, term[:-1]) % 7, LAST)}
    if index == 5 and "#" in term:
        day, nth = term.split("#", 1)
        if nth not in ("1", "2", "3", "4", "5"):
            _refuse(expression, f"bad day-of-week {term[:20]!r}, which counts from #1 to #5")
        return {(_number(expression, index, day) % 7, int(nth))}
    return None


def _term(expression: str, index: int, term: str) -> set[int]:
    name, low, high, _ = _FIELDS[index]
    span, slash, step_text = term.partition("/")
    if span == "*":
        first, last = low, high
    elif "-" in span:
        first, last = (_number(expression, index, part) for part in span.split("-", 1))
        if last < first:
            _refuse(expression, f"bad {name} {term[:20]!r}, whose range is descending")
    else:
        first = _number(expression, index, span)
        last = high if slash else first
    step = 1
    if slash:
        step = int(step_text) if _is_number(step_text) else 0
        if step < 1:
            _refuse(expression, f"bad {name} {term[:20]!r}, whose step is not a number of at least 1")
    return set(range(first, last + 1, step))


def _number(expression: str, index: int, text: str) -> int:
    name, low, high, names = _FIELDS[index]
    if text in names:
        return names[text]
    if not _is_number(text) or not low <= int(text) <= high:
        _refuse(expression, f"bad {name} {text[:20]!r}, which must be between {low} and {high}")
    return int(text)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 6


def _refuse(expression: str, why: str) -> NoReturn:
    excerpt = expression if len(expression) <= 80 else expression[:80] + "..."
    raise ScheduleError(
        f"The cron expression {excerpt!r} is not valid: {why}; write five fields such as '30 6 * * 1-5'."
    )
