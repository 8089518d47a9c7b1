"""Which runs a schedule needs now, and which due times are skipped: from how far it is planned, and the time. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice, takewhile

from appliance.schedules import Rule

POLICIES = ("all", "latest", "none")
MOST_CAUGHT_UP = 10_000
_PAGE = 500
_INSTANT = timedelta(microseconds=1)
_COUNTED = 10_000
"""With more missed due times than this, the newest ones are found from the end, and the others are not counted one by one."""


@dataclass(frozen=True)
class CatchUp:
    """What happens to due times that were not planned in time. `cap` bounds `all`; `window` is in seconds."""

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
class Plan:
    """`due` are the times that get a run, in order; every due time up to `until` is settled then. The schedule must be planned
    again at `again`; None: no due time is left."""

    due: list[datetime] = field(default_factory=list)
    skip: Skip | None = None
    until: datetime | None = None
    again: datetime | None = None


def plan(rule: Rule, planned_until: datetime, now: datetime, ahead: int, catch_up: CatchUp) -> Plan:
    """The runs to add so that the next `ahead` due times after `now` have one. Raises ScheduleError.

    Due times between `planned_until` and `now` were missed because no scheduler was running; the policy says what happens to them.
    """
    past, skip = _missed(rule, planned_until, now, catch_up)
    future = rule.next(ahead, now)
    due = past + [time for time in future if time > planned_until]
    reached = max([planned_until, now, *future[-1:]]) if planned_until < now else max([planned_until, *future[-1:]])
    return Plan(due, skip, reached, future[0] if len(future) == ahead else None)


def has_moved(rule: Rule, planned: Collection[datetime]) -> bool:
    """Are there planned runs at times that are no longer due, as after a change of a time zone's rules?"""
    return any(rule.next(1, time - _INSTANT) != [time] for time in planned)


def too_far_ahead(rule: Rule, now: datetime, planned: Collection[datetime], ahead: int) -> bool:
    """Are there planned runs much later than those that `ahead` asks for, because a wrong clock was set back?"""
    return bool(planned) and not set(planned) <= set(rule.next(2 * ahead, now))


def cut(rule: Rule, first: datetime, now: datetime) -> list[datetime]:
    """Of the skipped due times from `first` on, those in the past, up to the number that is counted."""
    return _between(rule, first - _INSTANT, now, _COUNTED)


def _missed(
    rule: Rule, planned_until: datetime, now: datetime, catch_up: CatchUp
) -> tuple[list[datetime], Skip | None]:
    if planned_until >= now:
        return [], None
    times = _between(rule, planned_until, now, _COUNTED + 1)
    if len(times) <= _COUNTED:
        caught_up = _caught_up(times, now, catch_up)
        skipped = times[: len(times) - len(caught_up)]
        if not skipped:
            return caught_up, None
        return caught_up, Skip(skipped[0], skipped[-1], len(skipped), _reason(catch_up))
    latest = _latest(rule, planned_until, now, max(1, catch_up.keep) + 1)
    caught_up = _caught_up(latest, now, catch_up)
    if len(caught_up) == len(latest):
        return caught_up, None
    return caught_up, Skip(times[0], latest[-len(caught_up) - 1], _COUNTED, _reason(catch_up), counted=False)


def _caught_up(times: list[datetime], now: datetime, catch_up: CatchUp) -> list[datetime]:
    newest = times[len(times) - min(catch_up.keep, len(times)) :]
    if catch_up.window is None:
        return newest
    since = now - timedelta(seconds=catch_up.window)
    return [time for time in newest if time >= since]


def _between(rule: Rule, after: datetime, until: datetime, most: int) -> list[datetime]:
    """The due times in (after, until], the first `most` of them."""
    return list(islice(takewhile(lambda time: time <= until, rule.times(after)), most))


def _latest(rule: Rule, after: datetime, until: datetime, number: int) -> list[datetime]:
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
    return f"These due times were not planned in time; by the schedule's catch-up policy, {runs}{late}."
