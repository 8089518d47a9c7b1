"""Adjustments of schedules: how a time that passed the filters is moved. Plain objects with a JSON form, like filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from appliance.schedules import fields
from appliance.schedules.errors import ScheduleError
from appliance.schedules.zones import instant_of, wall_of

MOST = 20
LONGEST = 366 * 86_400
_DAY = timedelta(days=1)
_NONE = timedelta(0)


@dataclass(frozen=True)
class Move:
    """An adjustment ready for use in one zone, with the minimum and maximum by which it can move an instant."""

    apply: Callable[[datetime], datetime]
    least: timedelta
    most: timedelta


class Adjustment:
    """One adjustment; called with an aware time, it returns the moved time in the same zone."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        move_of(document, ZoneInfo("UTC"))
        self._document = dict(document)

    def __call__(self, at: datetime) -> datetime:
        """The moved time. Raises ScheduleError for a time without an offset."""
        if at.tzinfo is None:
            raise ScheduleError("An adjustment needs a time with an offset.")
        zone = at.tzinfo if isinstance(at.tzinfo, ZoneInfo) else ZoneInfo("UTC")
        return move_of(self._document, zone).apply(at).astimezone(at.tzinfo)

    def to_document(self) -> dict[str, Any]:
        """The JSON form."""
        return dict(self._document)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Adjustment) and other._document == self._document

    def __hash__(self) -> int:
        return hash(repr(sorted(self._document.items())))

    def __repr__(self) -> str:
        return f"Adjustment({self._document!r})"


def add(interval: timedelta) -> Adjustment:
    """Later by `interval`, or earlier if it is negative; whole days keep the wall time, anything else is elapsed time."""
    if not isinstance(interval, timedelta):
        raise ScheduleError("add takes a timedelta: add(timedelta(hours=2)).")
    return Adjustment({"kind": "add", "seconds": interval.total_seconds()})


def move_of(document: object, zone: ZoneInfo) -> Move:
    """The move that an adjustment's document describes. Raises ScheduleError."""
    kind = document.get("kind") if isinstance(document, Mapping) else None
    if kind == "add":
        content = fields.require_fields(document, "The adjustment add", ("kind", "seconds"))
        return _add(content.get("seconds"), zone)
    if kind == "next_weekday":
        fields.require_fields(document, "The adjustment next_weekday", ("kind",))
        return Move(lambda at: _next_weekday(at, zone), -_DAY, 3 * _DAY)  # a day more each way for changes of offset
    raise ScheduleError("A schedule's adjustment must be an object whose kind is add or next_weekday.")


def moves_of(documents: object, zone: ZoneInfo) -> list[Move]:
    """The moves of a list of adjustments, in order."""
    return [move_of(item, zone) for item in fields.items(documents, "The adjustments", MOST)]


def _add(seconds: object, zone: ZoneInfo) -> Move:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not -LONGEST <= seconds <= LONGEST:
        raise ScheduleError("The adjustment add needs a number of seconds, at most 366 days in either direction.")
    step = timedelta(seconds=seconds)
    if step % _DAY:
        return Move(lambda at: at + step, step, step)
    return Move(lambda at: instant_of(wall_of(at, zone) + step, zone), step - _DAY, step + _DAY)


def _next_weekday(at: datetime, zone: ZoneInfo) -> datetime:
    wall = wall_of(at, zone)
    over = wall.isoweekday() - 5
    return at if over <= 0 else instant_of(wall + (3 - over) * _DAY, zone)


next_weekday = Adjustment({"kind": "next_weekday"})
"""From Saturday and Sunday to Monday at the same wall time."""
