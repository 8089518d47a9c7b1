"""Which runs a schedule needs now, and which due times get none: from how far it is planned, and the time. No I/O, no clock."""

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
"""After a longer absence the newest due times are looked up from the end, and the others are no longer counted one by one."""


@dataclass(frozen=True)
class CatchUp:
    """What becomes of due times that nobody planned in time. `cap` bounds `all`; `window` is in seconds."""

    policy: str = "latest"
    cap: int = 100
    window: float | None = None

    @property
    def keep(self) -> int:
        return {"all": max(1, min(self.cap, MOST_CAUGHT_UP)), "latest": 1}.get(self.policy, 0)


@dataclass(frozen=True)
class Skip:
    """The due times from `first` to `last` that have no run. `count` is a lower bound where `counted` is false."""

    first: datetime
    last: datetime
    count: int
    reason: str
    counted: bool = True


@dataclass(frozen=True)
class Plan:
    """`due` are the times that shall have a run, in order; every due time up to `until` is then dealt with. The next look is
    due at `again`; None: there is nothing more to come."""

    due: list[datetime] = field(default_factory=list)
    skip: Skip | None = None
    until: datetime | None = None
    again: datetime | None = None


def plan(rule: Rule, planned_until: datetime, now: datetime, ahead: int, catch_up: CatchUp) -> Plan:
    """The runs to add so that the next `ahead` due times after `now` have one. Raises ScheduleError.

    Due times between `planned_until` and `now` were missed because nobody planned; the policy says what becomes of them.
    """
    past, skip = _missed(rule, planned_until, now, catch_up)
    future = rule.next(ahead, now)
    due = past + [time for time in future if time > planned_until]
    reached = max([planned_until, now, *future[-1:]]) if planned_until < now else max([planned_until, *future[-1:]])
    return Plan(due, skip, reached, future[0] if len(future) == ahead else None)


def has_moved(rule: Rule, planned: Collection[datetime]) -> bool:
    """Are there planned runs at times that the schedule doesn't give any more, as after a change of a time zone's rules?"""
    return any(rule.next(1, time - _INSTANT) != [time] for time in planned)


def too_far_ahead(rule: Rule, now: datetime, planned: Collection[datetime], ahead: int) -> bool:
    """Are there planned runs much later than those that `ahead` asks for, because a wrong clock was set back?"""
    return bool(planned) and not set(planned) <= set(rule.next(2 * ahead, now))


def cut(rule: Rule, first: datetime, now: datetime) -> list[datetime]:
    """Of due times from `first` on that were skipped, those that have come, so many as are counted."""
    return _between(rule, first - _INSTANT, now, _COUNTED)


def _missed(
    rule: Rule, planned_until: datetime, now: datetime, catch_up: CatchUp
) -> tuple[list[datetime], Skip | None]:
    if planned_until >= now:
        return [], None
    times = _between(rule, planned_until, now, _COUNTED + 1)
    if len(times) <= _COUNTED:
        kept = _kept(times, now, catch_up)
        skipped = times[: len(times) - len(kept)]
        if not skipped:
            return kept, None
        return kept, Skip(skipped[0], skipped[-1], len(skipped), _reason(catch_up))
    latest = _latest(rule, planned_until, now, max(1, catch_up.keep) + 1)
    kept = _kept(latest, now, catch_up)
    if len(kept) == len(latest):
        return kept, None
    return kept, Skip(times[0], latest[-len(kept) - 1], _COUNTED, _reason(catch_up), counted=False)


def _kept(times: list[datetime], now: datetime, catch_up: CatchUp) -> list[datetime]:
    kept = times[len(times) - min(catch_up.keep, len(times)) :]
    if catch_up.window is None:
        return kept
    since = now - timedelta(seconds=catch_up.window)
    return [time for time in kept if time >= since]


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
        found = _between(rule, since, until, most + 1)
        if len(found) > most:
            span = few + (span - few) / 2
        elif len(found) >= number or since == after:
            return found[-number:]
        else:
            few, span = span, span * 2


def _reason(catch_up: CatchUp) -> str:
    if catch_up.keep == 0:
        kept = "what was missed gets no run"
    elif catch_up.policy == "latest":
        kept = "only the newest of what was missed gets a run"
    else:
        kept = f"the newest {catch_up.keep} of what was missed get a run"
    late = "" if catch_up.window is None else f", unless it is overdue for more than {catch_up.window:g} s"
    return f"Nobody planned in time; by the schedule's catch-up policy {kept}{late}."
