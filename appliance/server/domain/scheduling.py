"""Which runs a schedule needs now, and which due times are skipped: from how far it is planned, and the time. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Protocol

from appliance.schedules import Rule

POLICIES = ("all", "latest", "none")
DELETED, SKIPPED = "deleted", "skipped"
"""Codes of skips that people have caused: they deleted the run of a due time, or skipped the time."""
MOST_CAUGHT_UP = 10_000
_PAGE = 500
_INSTANT = timedelta(microseconds=1)
_COUNTED = 10_000
"""With more missed due times than this, the newest ones are found from the end, and the others are not counted one by one."""


@dataclass(frozen=True)
class CatchUp:
    """What happens to due times that passed while nobody could start their runs. `cap` bounds `all`; `window` is in seconds."""

    policy: str = "latest"
    cap: int = 100
    window: float | None = None

    @property
    def keep(self) -> int:
        return {"all": max(1, min(self.cap, MOST_CAUGHT_UP)), "latest": 1}.get(self.policy, 0)


@dataclass(frozen=True)
class Skip:
    """The due times from `first` to `last` that get no run. `count` is a lower bound where `counted` is false."""

    first: datetime
    last: datetime
    count: int
    reason: str
    counted: bool = True


@dataclass(frozen=True)
class Passed:
    """Due times that the policy has to decide about: `waiting` passed in an outage, the last that ended at `until`, and have runs that
    are only planned; `settled` have other runs."""

    until: datetime
    waiting: frozenset[datetime] = frozenset()
    settled: frozenset[datetime] = frozenset()


class DueTimes(Protocol):
    """What is known of a schedule's due times: those after an instant, all of them or the next `n`."""

    def times(self, after: datetime) -> Iterator[datetime]: ...

    def next(self, n: int, after: datetime) -> list[datetime]: ...


@dataclass(frozen=True)
class _Without:
    rule: Rule
    left_out: Collection[datetime]

    def times(self, after: datetime) -> Iterator[datetime]:
        return (time for time in self.rule.times(after) if time not in self.left_out)

    def next(self, n: int, after: datetime) -> list[datetime]:
        return list(islice(self.times(after), n))


def without(rule: Rule, left_out: Collection[datetime]) -> DueTimes:
    """The due times of a rule, but for those that people have left out."""
    return _Without(rule, left_out) if left_out else rule


def is_due(rule: Rule, time: datetime) -> bool:
    """Whether the time is one of the rule's due times."""
    return rule.next(1, just_before(time)) == [time]


def just_before(time: datetime) -> datetime:
    """The last instant before a time: the first due time after it may be that time."""
    return time - _INSTANT


@dataclass(frozen=True)
class Plan:
    """`due` are the times that get a run, in order; every due time up to `until` is settled then. The schedule must be planned
    again at `again`; None: no due time is left. `given_up` are the times whose planned runs are removed."""

    due: list[datetime] = field(default_factory=list)
    skip: Skip | None = None
    until: datetime | None = None
    again: datetime | None = None
    given_up: list[datetime] = field(default_factory=list)


def plan(
    rule: DueTimes, planned_until: datetime, now: datetime, ahead: int, catch_up: CatchUp, passed: Passed | None = None
) -> Plan:
    """The runs to add so that the next `ahead` due times after `now` have one. Raises ScheduleError.

    Due times between `planned_until` and `now` were missed because no scheduler was running, those of `passed` because no server was
    there to hand their runs out; together, the policy says what happens to them.
    """
    past, skip, given_up = _missed(rule, planned_until, now, catch_up, passed or Passed(planned_until))
    future = rule.next(ahead, now)
    due = past + [time for time in future if time > planned_until]
    reached = max([planned_until, now, *future[-1:]]) if planned_until < now else max([planned_until, *future[-1:]])
    return Plan(due, skip, reached, future[0] if len(future) == ahead else None, given_up)


def has_moved(rule: Rule, planned: Collection[datetime]) -> bool:
    """Are there planned runs at times that are no longer due, as after a change of a time zone's rules?"""
    return not all(is_due(rule, time) for time in planned)


def too_far_ahead(rule: Rule, now: datetime, planned: Collection[datetime], ahead: int) -> bool:
    """Are there planned runs much later than those that `ahead` asks for, because a wrong clock was set back?"""
    return bool(planned) and not set(planned) <= set(rule.next(2 * ahead, now))


def cut(rule: DueTimes, first: datetime, now: datetime) -> list[datetime]:
    """Of the skipped due times from `first` on, those in the past, up to the number that is counted."""
    return _between(rule, first - _INSTANT, now, _COUNTED)


def _missed(
    rule: DueTimes, planned_until: datetime, now: datetime, catch_up: CatchUp, passed: Passed
) -> tuple[list[datetime], Skip | None, list[datetime]]:
    """The due times that get a run after all, those that don't, and of these the ones that have a planned run."""
    start = min([planned_until, *(time - _INSTANT for time in passed.waiting)])
    end = now if planned_until < now else passed.until
    if start >= end:
        return [], None, []
    times = sorted({*_between(rule, start, end, _COUNTED + 1), *passed.waiting})
    if len(times) > _COUNTED:
        return _very_many_missed(rule, (start, end), now, catch_up, planned_until, passed, times[0])
    kept = _caught_up(times, now, catch_up)
    closed = passed.settled.union(kept)
    skipped = [time for time in times if time not in closed and (time > planned_until or time in passed.waiting)]
    skip = Skip(skipped[0], skipped[-1], len(skipped), _reason(catch_up)) if skipped else None
    given_up = [time for time in skipped if time in passed.waiting]
    return [time for time in kept if time > planned_until], skip, given_up


def _very_many_missed(
    rule: DueTimes,
    span: tuple[datetime, datetime],
    now: datetime,
    catch_up: CatchUp,
    planned_until: datetime,
    passed: Passed,
    first: datetime,
) -> tuple[list[datetime], Skip | None, list[datetime]]:
    """The same where most are neither listed nor counted."""
    latest = _latest(rule, *span, max(1, catch_up.keep) + 1)
    kept = _caught_up(latest, now, catch_up)
    given_up = sorted(passed.waiting - set(kept))
    caught_up = [time for time in kept if time > planned_until]
    if len(kept) == len(latest):
        return caught_up, None, given_up
    return caught_up, Skip(first, latest[-len(kept) - 1], _COUNTED, _reason(catch_up), counted=False), given_up


def _caught_up(times: list[datetime], now: datetime, catch_up: CatchUp) -> list[datetime]:
    newest = times[len(times) - min(catch_up.keep, len(times)) :]
    if catch_up.window is None:
        return newest
    since = now - timedelta(seconds=catch_up.window)
    return [time for time in newest if time >= since]


def _between(rule: DueTimes, after: datetime, until: datetime, most: int) -> list[datetime]:
    """The due times in (after, until], the first `most` of them."""
    return list(islice(takewhile(lambda time: time <= until, rule.times(after)), most))


def _latest(rule: DueTimes, after: datetime, until: datetime, number: int) -> list[datetime]:
    """The last `number` due times in (after, until]: a span before `until` is widened until it holds enough, and narrowed again
    when it holds too many to be listed."""
    most = 4 * number + _PAGE
    span, few = timedelta(seconds=1), timedelta(0)
    while True:
        since = max(after, until - span)
        times = _between(rule, since, until, most + 1)
        if len(times) > most:
            span = few + (span - few) / 2
        elif len(times) >= number or since == after:
            return times[-number:]
        else:
            few, span = span, span * 2


def _reason(catch_up: CatchUp) -> str:
    if catch_up.keep == 0:
        runs = "they get no run"
    elif catch_up.policy == "latest":
        runs = "only the newest of them gets a run"
    else:
        runs = f"the newest {catch_up.keep} of them get a run"
    late = "" if catch_up.window is None else f", unless it is overdue by more than {catch_up.window:g} s"
    return f"These due times passed while no run could be started; by the schedule's catch-up policy, {runs}{late}."
