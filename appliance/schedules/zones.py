"""Time zones as stretches of one UTC offset, and the instants of wall times.

A wall time that a zone skips means the first instant after the gap; one that occurs twice means its first occurrence.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from appliance.schedules.errors import ScheduleError

DAY = 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
"""All times of schedules are between these two, so that no arithmetic leaves the calendar."""

Stretch = tuple[int, int, int]
"""Start, end (both in seconds since 1970, UTC) and offset from UTC in seconds."""


def zone_of(name: object) -> ZoneInfo:
    """The zone of an IANA name, UTC for None. Raises ScheduleError."""
    if name is None or name == "":
        return _zone("UTC")
    if not isinstance(name, str):
        raise ScheduleError("The time zone of a schedule must be an IANA name such as Europe/Berlin.", "timezone")
    try:
        return _zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        excerpt = name if len(name) <= 60 else name[:60] + "..."
        raise ScheduleError(
            f"There is no time zone {excerpt!r}; use an IANA name such as Europe/Berlin.", "timezone"
        ) from error


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, of a wall time without an offset."""
    utc = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if utc.astimezone(zone).replace(tzinfo=None) == wall:
        return utc
    second = int((utc - EPOCH).total_seconds())  # in a gap; the offset changes once in the two days around it
    return EPOCH + timedelta(seconds=_change(zone, second - DAY, second + DAY))


def wall_of(instant: datetime, zone: ZoneInfo) -> datetime:
    """The wall time, without an offset, of an instant."""
    return instant.astimezone(zone).replace(tzinfo=None)


def shift_around(instant: datetime, zone: ZoneInfo) -> timedelta:
    """By how much wall times move against instants in the two days before and after the instant: nothing, but for a change of offset."""
    second = int((instant - EPOCH).total_seconds())
    offsets = [_offset(zone, second + days * DAY) for days in (-2, 0, 2)]
    return timedelta(seconds=max(offsets) - min(offsets))


def stretches(zone: ZoneInfo, since: int) -> Iterator[Stretch]:
    """The stretches from the one that contains the second `since`; they are contiguous, and the last ends at LATEST."""
    for year in range((EPOCH + timedelta(seconds=since)).year, LATEST.year):
        for stretch in _of_year(zone, year):
            if stretch[1] > since:
                yield stretch


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)  # the zoneinfo module keeps only eight


@lru_cache(maxsize=8192)
def _of_year(zone: ZoneInfo, year: int) -> tuple[Stretch, ...]:
    start, end = (int((datetime(y, 1, 1, tzinfo=UTC) - EPOCH).total_seconds()) for y in (year, year + 1))
    offset = _offset(zone, start)
    parts: list[Stretch] = []
    for second in range(start + DAY, end + 1, DAY):  # no zone changes back and forth within one day
        later = _offset(zone, second)
        if later != offset:
            change = _change(zone, second - DAY, second)
            parts.append((start, change, offset))
            start, offset = change, later
    return (*parts, (start, end, offset))


def _change(zone: ZoneInfo, low: int, high: int) -> int:
    """The first second whose offset differs from that at `low`; it changes once between the two."""
    before = _offset(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
    return high


def _offset(zone: ZoneInfo, second: int) -> int:
    offset = (EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())
