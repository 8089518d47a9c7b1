"""The one function that computes the times of user schedules, for the SDK and the server alike.

A schedule is a JSON document: {"kind": "cron", "cron": "*/5 * * * *", "timezone": "Europe/Berlin", "start": ..., "end": ...} or
{"kind": "interval", "seconds": 300.0, "anchor": ..., "timezone": "UTC", "start": ..., "end": ...}.

Daylight saving: a fixed cron time inside the gap comes once, at the first valid instant; inside the overlap it comes once, at
the earlier instant. Intervals of whole days keep the wall time by the same two rules; shorter ones are absolute.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from appliance.core.errors import ScheduleError
from appliance.kit import clock

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
DEFAULT_ANCHOR = "2019-01-01T00:00:00.000000Z"
_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)


def next_times(schedule: Mapping[str, Any], after: datetime, n: int) -> list[datetime]:
    """The next `n` times strictly after `after`, aware and in UTC; fewer when the schedule ends. Raises ScheduleError."""
    if after.tzinfo is None:
        raise ScheduleError("The time after which to look must have a UTC offset.")
    zone = _zone(schedule)
    start, end = _bound(schedule, "start"), _bound(schedule, "end")
    after = after.astimezone(UTC)
    if start is not None and start > after:
        after = start - _TICK  # the start itself counts
    times = _cron(schedule, zone, after) if schedule.get("kind") == "cron" else _interval(schedule, zone, after)
    found: list[datetime] = []
    for time in islice(times, max(0, n)):
        if end is not None and time > end:
            break
        found.append(time)
    return found


def validate(schedule: Mapping[str, Any]) -> None:
    """Raise ScheduleError, a ValueError with one sentence, unless `next_times` can work with the document."""
    if schedule.get("kind") not in ("cron", "interval"):
        raise ScheduleError(f"A schedule is of kind cron or interval, not {schedule.get('kind')!r}.")
    unknown = set(schedule) - {"kind", "cron", "timezone", "start", "end", "seconds", "anchor", "parameters", "labels"}
    if unknown:
        raise ScheduleError(f"A schedule has no field {min(unknown)!r}; remove it.")
    zone = _zone(schedule)
    start, end = _bound(schedule, "start"), _bound(schedule, "end")
    if start is not None and end is not None and end <= start:
        raise ScheduleError("The end of a schedule must lie after its start.")
    if schedule["kind"] == "interval":
        _step(schedule)
        _bound(schedule, "anchor")
    elif next(_cron(schedule, zone, datetime(2026, 1, 1, tzinfo=UTC)), None) is None:
        raise ScheduleError(f"The cron expression {schedule['cron']!r} never comes due; correct its day and month.")


def _cron(schedule: Mapping[str, Any], zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    expression = schedule.get("cron")
    if not isinstance(expression, str) or not expression.strip():
        raise ScheduleError("A cron schedule needs an expression such as '30 6 * * 1-5'.")
    expression = ALIASES.get(expression.strip().lower(), expression)
    try:
        times = CronSim(expression, after.astimezone(zone))
    except CronSimError as error:
        raise ScheduleError(
            f"The cron expression {expression!r} is not valid: {str(error).lower()}; write five fields such as '30 6 * * 1-5'."
        ) from error
    return _increasing(times, after)


def _increasing(times: Iterator[datetime], after: datetime) -> Iterator[datetime]:
    for time in times:  # around a change of offset two wall times can be one instant, or lie before `after`
        utc = time.astimezone(UTC)
        if utc > after:
            after = utc
            yield utc


def _interval(schedule: Mapping[str, Any], zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    step = _step(schedule)
    anchor = _bound(schedule, "anchor") or clock.parse(DEFAULT_ANCHOR)
    if step % _DAY:
        time = anchor + ((after - anchor) // step + 1) * step
        while True:
            yield time
            time += step
    wall = anchor.astimezone(zone).replace(tzinfo=None)
    wall += ((after.astimezone(zone).replace(tzinfo=None) - wall) // step - 1) * step
    while True:
        time = _instant(wall, zone)
        if time > after:
            yield time
        wall += step


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a wall time; inside a gap the first valid one after it, inside an overlap the earlier one."""
    utc = wall.replace(tzinfo=zone).astimezone(UTC)
    if utc.astimezone(zone).replace(tzinfo=None) == wall:
        return utc
    low, high = utc - _DAY, utc + _DAY  # the offset changes once in between; find the first instant after the change
    before = low.astimezone(zone).utcoffset()
    while high - low > _TICK:
        middle = low + (high - low) / 2
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    return high


def _step(schedule: Mapping[str, Any]) -> timedelta:
    seconds = schedule.get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 1 <= seconds <= 3_660 * 86_400:
        raise ScheduleError("The interval of a schedule must be a number of seconds, at least 1 and at most ten years.")
    return timedelta(seconds=seconds)


def _zone(schedule: Mapping[str, Any]) -> ZoneInfo:
    name = schedule.get("timezone") or "UTC"
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError) as error:
        raise ScheduleError(f"There is no time zone {name!r}; use an IANA name such as Europe/Berlin.") from error


def _bound(schedule: Mapping[str, Any], key: str) -> datetime | None:
    text = schedule.get(key)
    if text is None:
        return None
    try:
        return clock.parse(text)
    except (ValueError, TypeError) as error:
        raise ScheduleError(
            f"The {key} of a schedule must be a time with an offset, like 2026-01-31T06:30:00+00:00."
        ) from error
