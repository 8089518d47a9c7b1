"""The one function that computes the times of user schedules, for the SDK and the server alike.

A schedule is a JSON document with a `kind` and the fields of that kind, of which only the first is required:

cron: cron, an expression of core.cron.   interval: seconds, anchor.   dates: dates, a list.   rrule: rrule, a rule; anchor.

Every kind has timezone, start, end, parameters, labels, filters, or_filters, not_filters, adjustments and calendar besides.
Daylight saving: a fixed time inside the gap comes once, at the first valid instant after it; inside an overlap once, at its first
occurrence. Wild cron expressions and intervals that aren't whole days follow elapsed time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from appliance.schedules import cron, fields, recurrence
from appliance.schedules.errors import ScheduleError
from appliance.schedules.selection import FIELDS as SELECTING
from appliance.schedules.selection import Selection
from appliance.schedules.zones import EARLIEST, LATEST, instant_of, named, wall_of

DEFAULT_ANCHOR = "2019-01-01T00:00:00"
MOST_DATES = 1000
_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)
_OF_KIND = {"cron": {"cron"}, "interval": {"seconds", "anchor"}, "dates": {"dates"}, "rrule": {"rrule", "anchor"}}
_OF_ALL = {"kind", "timezone", "start", "end", "parameters", "labels", *SELECTING}
_OLD = {"cron", "seconds", "anchor"}  # fields that documents of either old kind have always been allowed to carry


def next_times(schedule: Mapping[str, Any], after: datetime, n: int) -> list[datetime]:
    """The next `n` times strictly after `after`, aware and in UTC; fewer when the schedule ends. Raises ScheduleError."""
    if after.tzinfo is None:
        raise ScheduleError("The time after which to look must have a UTC offset.")
    kind = _kind(schedule)
    zone = named(schedule.get("timezone"))
    start, end = _bound(schedule, "start"), _bound(schedule, "end")
    after = after.astimezone(UTC) if EARLIEST < after < LATEST else (EARLIEST if after <= EARLIEST else LATEST)

    def series(since: datetime) -> Iterator[datetime]:
        if start is not None and start > since:
            since = start - _TICK  # the start itself counts
        times = _SERIES[kind](schedule, zone, max(since, EARLIEST))
        return times if end is None else _until(times, end)

    if all(not schedule.get(key) for key in SELECTING):
        return list(islice(series(after), max(0, n)))
    return list(islice(Selection(schedule, zone).pick(series, after), max(0, n)))


def validate(schedule: Mapping[str, Any]) -> None:
    """Raise ScheduleError, a ValueError with one sentence, unless `next_times` can work with the document."""
    kind = _kind(schedule)
    fields.known(schedule, "A schedule", _OF_ALL | _OF_KIND[kind] | (_OLD if kind in ("cron", "interval") else set()))
    start, end = _bound(schedule, "start"), _bound(schedule, "end")
    if start is not None and end is not None and end <= start:
        raise ScheduleError("The end of a schedule must lie after its start.")
    next_times(schedule, start - _TICK if start is not None else datetime(2026, 1, 1, tzinfo=UTC), 1)
    Selection(schedule, named(schedule.get("timezone")))


def _until(times: Iterator[datetime], end: datetime) -> Iterator[datetime]:
    for time in times:
        if time > end:
            return
        yield time


def _increasing(times: Iterator[datetime], after: datetime) -> Iterator[datetime]:
    for time in times:  # around a change of offset two wall times can be one instant
        if time > after:
            after = time
            yield time


def _cron(schedule: Mapping[str, Any], zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    expression = schedule.get("cron")
    if not isinstance(expression, str) or not expression.strip():
        raise ScheduleError("A cron schedule needs an expression such as '30 6 * * 1-5'.")
    return cron.parse(expression).instants(zone, after)


def _interval(schedule: Mapping[str, Any], zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    step = _step(schedule)
    anchor = _bound(schedule, "anchor") or _DEFAULT_START
    if step % _DAY:
        return _elapsed(anchor + ((after - anchor) // step + 1) * step, step)
    wall = wall_of(anchor, zone)
    wall += ((wall_of(after, zone) - wall) // step - 1) * step
    return _increasing(_on_wall(wall, step, zone), after)


def _elapsed(time: datetime, step: timedelta) -> Iterator[datetime]:
    while time < LATEST:
        yield time
        time += step


def _on_wall(wall: datetime, step: timedelta, zone: ZoneInfo) -> Iterator[datetime]:
    while (time := instant_of(wall, zone)) < LATEST:
        yield time
        wall += step


def _dates(schedule: Mapping[str, Any], zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    texts = fields.items(schedule.get("dates"), "The dates", MOST_DATES)
    if not texts:
        raise ScheduleError("A schedule of dates needs at least one date.")
    return _increasing(iter(sorted(fields.instant(text, "A date", zone) for text in texts)), after)


def _rrule(schedule: Mapping[str, Any], zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    text = schedule.get("rrule")
    if not isinstance(text, str) or not text.strip():
        raise ScheduleError("An rrule schedule needs a rule such as FREQ=MONTHLY;BYDAY=-1FR.")
    rule = recurrence.parse(text)
    start = fields.wall(schedule.get("anchor") or DEFAULT_ANCHOR, "The anchor", zone)
    walls = rule.walls(start, wall_of(after, zone) - _DAY)
    return _increasing((instant_of(wall, zone) for wall in walls), after)


_SERIES = {"cron": _cron, "interval": _interval, "dates": _dates, "rrule": _rrule}
_DEFAULT_START = datetime(2019, 1, 1, tzinfo=UTC)


def _kind(schedule: Mapping[str, Any]) -> str:
    kind = schedule.get("kind") if isinstance(schedule, Mapping) else None
    if not isinstance(kind, str) or kind not in _OF_KIND:
        raise ScheduleError(f"A schedule is of kind cron, interval, dates or rrule, not {str(kind)[:60]!r}.")
    return kind


def _step(schedule: Mapping[str, Any]) -> timedelta:
    seconds = schedule.get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 1 <= seconds <= 3_660 * 86_400:
        raise ScheduleError("The interval of a schedule must be a number of seconds, at least 1 and at most ten years.")
    return timedelta(seconds=seconds)


def _bound(schedule: Mapping[str, Any], key: str) -> datetime | None:
    text = schedule.get(key)
    return None if text is None else fields.instant(text, f"The {key}")
