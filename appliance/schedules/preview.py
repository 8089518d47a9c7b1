"""The next due times of a schedule, with what is special about them: times that a clock change moves, skips or repeats, and times that
its calendar drops or moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

from appliance.kit.plurals import counted
from appliance.schedules.rule import Rule
from appliance.schedules.series import elapsed_step, walls_of
from appliance.schedules.zones import DAY, EPOCH, stretches, wall_of, zone_of

MOST_DROPPED = 5
"""Times without a run that a preview lists: enough to see that a calendar works, and why."""
_NEAR = 2 * DAY
_MOST_NAMED = 3
_SECOND = timedelta(seconds=1)


@dataclass
class DueTime:
    """A due time, in UTC and on the clock of the schedule's zone, and what is special about it, a sentence each."""

    at: datetime
    local: str
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class DroppedTime:
    """A time that the clock of the schedule names and that gets no run, and why."""

    at: datetime
    local: str
    reason: str


@dataclass(frozen=True)
class Preview:
    """The next due times, and the first of those that are dropped until the last of them."""

    times: list[DueTime]
    dropped: list[DroppedTime]


def preview(rule: Rule, n: int, after: datetime) -> Preview:
    """The next `n` due times after `after`. Raises ScheduleError."""
    zone = zone_of(rule.document.get("timezone"))
    changes, before = _ClockChanges(rule.document, zone), after
    times = []
    for at in rule.next(n, after):
        times.append(DueTime(at, _local(at, zone), list(changes.notes(before, at))))
        before = at
    dropped: list[DroppedTime] = []
    due = {time.at: time for time in times}
    for placed in rule.displaced(after, times[-1].at) if times else ():
        reason = f"{placed.reason}."
        if placed.to is None and placed.at > after and len(dropped) < MOST_DROPPED:
            dropped.append(DroppedTime(placed.at, _local(placed.at, zone), reason))
        elif placed.to in due:
            due[placed.to].notes.append(f"Moved from {_day_and_time(wall_of(placed.at, zone))}: {reason}")
    return Preview(times, dropped)


@dataclass(frozen=True)
class _Change:
    """A change of a zone's offset: the instant, and the offsets before and after it."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def wall(self) -> datetime:
        """What the clock would show without the change."""
        return (self.at + self.before).replace(tzinfo=None)

    @property
    def new_wall(self) -> datetime:
        """What it shows instead."""
        return (self.at + self.after).replace(tzinfo=None)


class _ClockChanges:
    """What changes of the clocks do to the times of one document."""

    def __init__(self, document: Mapping[str, Any], zone: ZoneInfo) -> None:
        self._zone = zone
        self._adjusted = bool(document.get("adjustments"))
        self._walls = None if self._adjusted else walls_of(document, zone)
        self._step = None if self._adjusted else elapsed_step(document)
        self._fixed = self._walls is not None and self._walls.fixed

    def notes(self, before: datetime, at: datetime) -> Iterator[str]:
        """The sentences for the due time `at`, the one after `before`."""
        wall = wall_of(at, self._zone)
        for change in self._near(at):
            forward = change.after > change.before
            is_first_after = before < change.at <= at
            if forward and is_first_after:
                yield from self._gap(change, at)
            elif not forward and change.new_wall <= wall < change.wall:
                yield from self._overlap(change, at, wall)
            if is_first_after and self._step and (change.after - change.before) % self._step:
                way, shifted = ("forward", "later") if forward else ("back", "earlier")
                shift = _length(abs(change.after - change.before))
                yield f"Clocks go {way}: from here on {shift} {shifted} by the clock, because the interval is elapsed time."

    def _gap(self, change: _Change, at: datetime) -> Iterator[str]:
        if self._walls is None:
            return
        missing = list(islice(self._walls.between(change.wall, change.new_wall), _MOST_NAMED + 1))
        if not missing:
            return
        names = ", ".join(_clock_time(wall) for wall in missing[:_MOST_NAMED])
        names += " and more" if len(missing) > _MOST_NAMED else ""
        verb = "doesn't" if len(missing) == 1 else "don't"
        if self._fixed and at == change.at:
            yield f"Clocks go forward: {names} {verb} exist, runs at {_clock_time(change.new_wall)}."
        elif not self._fixed:
            gets = "gets" if len(missing) == 1 else "get"
            day = f"{change.wall.day} {change.wall.strftime('%B')}"
            yield f"Clocks go forward on {day}: {names} {verb} exist and {gets} no run."

    def _overlap(self, change: _Change, at: datetime, wall: datetime) -> Iterator[str]:
        time = _clock_time(wall)
        if self._fixed:
            yield f"Clocks go back: {time} comes twice, runs the first time only."
        elif not self._adjusted:
            yield f"Clocks go back: {time} comes twice; this is the {'first' if at < change.at else 'second'}."

    def _near(self, at: datetime) -> Iterator[_Change]:
        """The changes of offset in the two days before and after `at`."""
        second = (at - EPOCH) // _SECOND
        for (_, end, offset), (_, _, later) in pairwise(stretches(self._zone, second - _NEAR)):
            if end > second + _NEAR:
                return
            if later != offset:
                yield _Change(EPOCH + timedelta(seconds=end), timedelta(seconds=offset), timedelta(seconds=later))


def _local(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).isoformat()


def _clock_time(wall: datetime) -> str:
    return wall.strftime("%H:%M:%S" if wall.second else "%H:%M")


def _day_and_time(wall: datetime) -> str:
    return f"{wall.day} {wall.strftime('%B')} {_clock_time(wall)}"


def _length(span: timedelta) -> str:
    minutes = span // timedelta(minutes=1)
    return counted(minutes, "minute") if minutes % 60 else counted(minutes // 60, "hour")
