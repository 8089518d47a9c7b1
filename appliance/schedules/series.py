"""The four kinds of schedules: each reads its fields of a document once and computes its times after any instant.

cron: cron, an expression (see `cron`); day_or.   interval: seconds, anchor.   dates: dates, a list.   rrule: rrule, a rule; anchor.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

from appliance.schedules import cron, fields, recurrence
from appliance.schedules.errors import ScheduleError
from appliance.schedules.zones import EPOCH, LATEST, instant_of, shift_around, wall_of


@dataclass(frozen=True)
class Walls:
    """The wall times that a document names. `fixed`: each is due once, even where the clocks skip or repeat it."""

    between: Callable[[datetime, datetime], Iterator[datetime]]
    """At least the first, less than the second."""
    fixed: bool


Series = Callable[[datetime], Iterator[datetime]]
"""The times strictly after an instant, increasing, in UTC."""

FIELDS_OF_KIND = {
    "cron": frozenset({"cron", "day_or"}),
    "interval": frozenset({"seconds", "anchor"}),
    "dates": frozenset({"dates"}),
    "rrule": frozenset({"rrule", "anchor"}),
}
DEFAULT_ANCHOR = "2019-01-01T00:00:00"
MOST_DATES = 1000
_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)
_DEFAULT_START = datetime(2019, 1, 1, tzinfo=UTC)


def kind_of(document: object) -> str:
    """The kind of a schedule's document. Raises ScheduleError."""
    kind = document.get("kind") if isinstance(document, Mapping) else None
    if not isinstance(kind, str) or kind not in FIELDS_OF_KIND:
        raise ScheduleError(f"A schedule's kind must be cron, interval, dates or rrule, not {str(kind)[:60]!r}.")
    return kind


def series_of(document: Mapping[str, Any], zone: ZoneInfo) -> Series:
    """The times of a document's own kind, before any selection. Raises ScheduleError."""
    kind = kind_of(document)
    try:
        return _KINDS[kind](document, zone)
    except ScheduleError as error:
        error.field = error.field or _RULES[kind]
        raise


_RULES = {"cron": "cron", "interval": "seconds", "dates": "dates", "rrule": "rrule"}
"""The field that says when a schedule of each kind is due."""


def walls_of(document: Mapping[str, Any], zone: ZoneInfo) -> Walls | None:
    """The wall times of a document before any selection; None for an interval of elapsed time, which names none."""
    kind = kind_of(document)
    if kind == "cron":
        parsed = cron.parse(document["cron"], document.get("day_or", True))
        return Walls(lambda low, high: map(_wall, parsed.walls(_second(low), _second(high))), not parsed.wild)
    if kind == "dates":
        texts = [text for text in document["dates"] if fields.is_wall(text)]
        walls = sorted(datetime.fromisoformat(text) for text in texts)
        return Walls(lambda low, high: (wall for wall in walls if low <= wall < high), True)
    if kind == "rrule":
        rule = recurrence.parse(document["rrule"])
        start = fields.wall(document.get("anchor") or DEFAULT_ANCHOR, "The anchor", zone)
        return Walls(lambda low, high: takewhile(lambda wall: wall < high, rule.walls(start, low - _TICK)), True)
    step = _step(document)
    if step % _DAY:
        return None
    first = wall_of(_anchor(document), zone)

    def daily(low: datetime, high: datetime) -> Iterator[datetime]:
        wall = first + -((first - low) // step) * step
        while wall < high:
            yield wall
            wall += step

    return Walls(daily, True)


def elapsed_step(document: Mapping[str, Any]) -> timedelta | None:
    """The step of an interval that follows elapsed time; None for all other documents."""
    if kind_of(document) != "interval":
        return None
    step = _step(document)
    return step if step % _DAY else None


def _wall(second: int) -> datetime:
    return (EPOCH + timedelta(seconds=second)).replace(tzinfo=None)


def _second(wall: datetime) -> int:
    return -((EPOCH.replace(tzinfo=None) - wall) // timedelta(seconds=1))


def _cron(document: Mapping[str, Any], zone: ZoneInfo) -> Series:
    expression = document.get("cron")
    if not isinstance(expression, str) or not expression.strip():
        raise ScheduleError("A cron schedule needs an expression such as '30 6 * * 1-5'.")
    day_or = document.get("day_or", True)
    if not isinstance(day_or, bool):
        raise ScheduleError(
            "day_or of a cron schedule must be true, for a day that matches either day field, or false."
        )
    parsed = cron.parse(expression, day_or)
    return lambda after: parsed.instants(zone, after)


def _interval(document: Mapping[str, Any], zone: ZoneInfo) -> Series:
    step = _step(document)
    anchor = _anchor(document)
    if step % _DAY:
        return lambda after: _elapsed(anchor + ((after - anchor) // step + 1) * step, step)
    first = wall_of(anchor, zone)

    def on_wall(after: datetime) -> Iterator[datetime]:
        wall = first + ((wall_of(after, zone) - first) // step - 1) * step
        return _increasing(_on_wall(wall, step, zone), after)

    return on_wall


def _anchor(document: Mapping[str, Any]) -> datetime:
    text = document.get("anchor")
    return _DEFAULT_START if text is None else fields.instant(text, "The anchor")


def _step(document: Mapping[str, Any]) -> timedelta:
    seconds = document.get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 1 <= seconds <= 3_660 * 86_400:
        raise ScheduleError("The interval of a schedule must be a number of seconds, at least 1 and at most ten years.")
    return timedelta(seconds=seconds)


def _elapsed(time: datetime, step: timedelta) -> Iterator[datetime]:
    while time < LATEST:
        yield time
        time += step


def _on_wall(wall: datetime, step: timedelta, zone: ZoneInfo) -> Iterator[datetime]:
    while (time := instant_of(wall, zone)) < LATEST:
        yield time
        wall += step


def _dates(document: Mapping[str, Any], zone: ZoneInfo) -> Series:
    texts = fields.items(document.get("dates"), "The dates", MOST_DATES)
    if not texts:
        raise ScheduleError("A schedule of dates needs at least one date.")
    times = sorted({fields.instant(text, "A date", zone) for text in texts})
    return lambda after: iter(times[bisect_right(times, after) :])


def _rrule(document: Mapping[str, Any], zone: ZoneInfo) -> Series:
    text = document.get("rrule")
    if not isinstance(text, str) or not text.strip():
        raise ScheduleError("An rrule schedule needs a rule such as FREQ=MONTHLY;BYDAY=-1FR.")
    rule = recurrence.parse(text)
    start = fields.wall(document.get("anchor") or DEFAULT_ANCHOR, "The anchor", zone)

    def series(after: datetime) -> Iterator[datetime]:
        walls = rule.walls(start, wall_of(after, zone) - shift_around(after, zone) - _TICK)
        instants = (instant_of(wall, zone) for wall in walls)
        last = rule.last
        return _increasing(instants if last is None else takewhile(lambda time: time <= last, instants), after)

    return series


def _increasing(times: Iterator[datetime], after: datetime) -> Iterator[datetime]:
    for time in times:  # around a change of offset two wall times can be one instant
        if time > after:
            after = time
            yield time


_KINDS = {"cron": _cron, "interval": _interval, "dates": _dates, "rrule": _rrule}
