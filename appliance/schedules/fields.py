"""Reads the fields of schedule documents: every invalid value raises a ScheduleError with one sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from appliance.kit import clock
from appliance.schedules.errors import ScheduleError
from appliance.schedules.zones import EARLIEST, LATEST, instant_of

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
"""The days of the week as they are numbered throughout schedules: as in cron, 0 is Sunday, and so is 7."""


def require_fields(document: object, what: str, fields: Iterable[str]) -> Mapping[str, Any]:
    """The document as a mapping; any other field is refused."""
    if not isinstance(document, Mapping):
        raise ScheduleError(f"{what} must be an object with fields.")
    unknown = [key for key in document if key not in set(fields)]
    if unknown:
        raise ScheduleError(f"{what} has no field {str(unknown[0])[:60]!r}; remove it.")
    return document


def items(value: object, what: str, most: int) -> list[Any]:
    """The value as a list of at most `most` items; None is an empty list."""
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise ScheduleError(f"{what} of a schedule must be a list.")
    if len(value) > most:
        raise ScheduleError(f"{what} of a schedule can't have more than {most} entries.")
    return list(value)


def number(value: object, what: str, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ScheduleError(f"{what} of a schedule must be a whole number from {low} to {high}.")
    return value


def weekday(value: object, what: str) -> int:
    """A day of the week as 0 (Sunday) to 6, from 0-7 or at least the first three letters of its English name."""
    if isinstance(value, str) and len(value) >= 3:
        for index, name in enumerate(WEEKDAYS):
            if name.startswith(value.lower()):
                return index
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 7:
        raise ScheduleError(f"{what} of a schedule must be a day such as 'monday', or a number from 0 (Sunday) to 7.")
    return value % 7


def time_of_day(value: object, what: str) -> time:
    """A wall time such as 06:30 or 06:30:15."""
    try:
        moment = time.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is not None:
        raise ScheduleError(f"{what} of a schedule must be a time of day without an offset, like '06:30'.")
    return moment


def day(value: object, what: str) -> date:
    """A date such as 2026-12-25."""
    try:
        parsed = date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        parsed = None
    if parsed is None:
        raise ScheduleError(f"{what} of a schedule must be a date like '2026-12-25'.")
    return parsed


def day_of_year(value: object, what: str) -> tuple[int, int]:
    """A month and a day such as 12-25, which comes every year."""
    try:
        parsed = datetime.strptime(f"2000-{value}", "%Y-%m-%d") if isinstance(value, str) else None  # noqa: DTZ007 - a date
    except ValueError:
        parsed = None
    if parsed is None:
        raise ScheduleError(f"{what} of a schedule must be a date like '2026-12-25', or '12-25' for every year.")
    return parsed.month, parsed.day


def instant(value: object, what: str, zone: ZoneInfo | None = None) -> datetime:
    """A time with an offset, in UTC; with a zone also one without, which is a wall time of that zone."""
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else None
        if parsed is not None and (parsed.tzinfo is not None or zone is not None):
            parsed = clock.parse(str(value)) if parsed.tzinfo is not None else instant_of(parsed, zone)  # type: ignore[arg-type]
            if EARLIEST <= parsed < LATEST:
                return parsed
    except (ValueError, OverflowError):
        pass
    raise ScheduleError(
        f"{what} of a schedule must be a time with an offset, like 2026-01-31T06:30:00+00:00, in the years 1900 to 8999."
    )


def is_wall(text: str) -> bool:
    """Whether a valid time has no offset, so that it is a wall time."""
    return datetime.fromisoformat(text).tzinfo is None


def wall(value: object, what: str, zone: ZoneInfo) -> datetime:
    """A wall time of the zone: a time without an offset as it is, one with an offset converted."""
    moment = instant(value, what, zone)
    plain = datetime.fromisoformat(str(value))
    return plain if plain.tzinfo is None else moment.astimezone(zone).replace(tzinfo=None)
