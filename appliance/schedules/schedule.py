"""Schedules of a flow: one or more clocks, whose times are merged after filters, adjustments and a calendar."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, Unpack

from appliance.kit import clock, options
from appliance.kit.option_names import refuse_unknown
from appliance.schedules.adjustments import Adjustment
from appliance.schedules.calendars import Calendar
from appliance.schedules.clocks import Clock, CronClock, DatesClock, IntervalClock, RRuleClock
from appliance.schedules.filters import Filter
from appliance.schedules.policies import DEFAULTS, Policies, declared
from appliance.schedules.selection import FIELDS as SELECTING


class Schedule:
    """The merged times of its clocks.

    A time counts when it passes all `filters`, one of the `or_filters` (if there are any) and none of the `not_filters`; then it goes
    through the `adjustments` in order, and last through the `calendar`. All of them apply to each clock in its own time zone. The
    policies (`overlap`, `catch_up`, `catch_up_cap`, `catch_up_window`) hold for each clock that doesn't say its own.
    """

    def __init__(
        self,
        clocks: Iterable[Clock],
        filters: Iterable[Filter] = (),
        or_filters: Iterable[Filter] = (),
        not_filters: Iterable[Filter] = (),
        adjustments: Iterable[Adjustment] = (),
        calendar: Calendar | None = None,
        **policies: Unpack[Policies],
    ) -> None:
        refuse_unknown("A schedule", policies, ["clocks", *SELECTING, *DEFAULTS])
        items = list(options.require("clocks", clocks, Iterable, "a list of clocks"))
        if not all(isinstance(item, Clock) for item in items):
            raise TypeError("A schedule is made of clocks: Schedule([CronClock(...), IntervalClock(...)]).")
        options.require("calendar", calendar, Calendar, "a Calendar(...)")
        selected: dict[str, Any] = {
            "filters": _documents("filters", filters, Filter),
            "or_filters": _documents("or_filters", or_filters, Filter),
            "not_filters": _documents("not_filters", not_filters, Filter),
            "adjustments": _documents("adjustments", adjustments, Adjustment),
            "calendar": calendar.to_document() if calendar is not None else None,
        }
        selected = {key: value for key, value in selected.items() if value}
        own = declared(policies)
        self.clocks = [_changed(item, selected, own) if selected or own else item for item in items]

    def next(self, n: int, after: datetime | None = None) -> list[datetime]:
        """The next `n` different times of all clocks in order, strictly after `after`, by default after now; aware, in UTC.

        Raises ScheduleError, also for an `after` without an offset.
        """
        after = after or clock.now()
        merged = heapq.merge(*(item.next(n, after) for item in self.clocks))
        return list(islice(dict.fromkeys(merged), n))

    def due(self, after: datetime) -> tuple[datetime, list[Clock]] | None:
        """The next time and the clocks that share it, equal ones once; None when there are no more."""
        next_times = [(times[0], item) for item in self.clocks if (times := item.next(1, after))]
        if not next_times:
            return None
        at = min(time for time, _ in next_times)
        sharing: list[Clock] = []
        for time, item in next_times:
            if time == at and all(item.to_document() != other.to_document() for other in sharing):
                sharing.append(item)
        return at, sharing

    def describe(self) -> str:
        """The schedule in words, its clocks separated by semicolons."""
        return "; ".join(item.describe() for item in self.clocks)


def IntervalSchedule(
    interval: timedelta,
    start_date: datetime | None = None,
    timezone: str | None = None,
    end_date: datetime | None = None,
    **policies: Unpack[Policies],
) -> Schedule:
    """A schedule of one interval clock."""
    return Schedule([IntervalClock(interval, start_date, timezone, end_date, **policies)])


def CronSchedule(
    cron: str,
    timezone: str | None = None,
    start_date: datetime | None = None,
    end_date: datetime | None = None,
    day_or: bool = True,
    **policies: Unpack[Policies],
) -> Schedule:
    """A schedule of one cron clock."""
    return Schedule([CronClock(cron, timezone, start_date, end_date, day_or=day_or, **policies)])


def DatesSchedule(
    dates: Iterable[datetime | date], timezone: str | None = None, **policies: Unpack[Policies]
) -> Schedule:
    """A schedule of one clock of dates."""
    return Schedule([DatesClock(dates, timezone, **policies)])


def RRuleSchedule(
    rrule: Any,
    start_date: datetime | None = None,
    timezone: str | None = None,
    end_date: datetime | None = None,
    **policies: Unpack[Policies],
) -> Schedule:
    """A schedule of one recurrence rule."""
    return Schedule([RRuleClock(rrule, start_date, timezone, end_date, **policies)])


def _changed(item: Clock, selected: dict[str, Any], policies: dict[str, Any]) -> Clock:
    """The clock with the schedule's own filters, and with its policies where the clock has none."""
    changed = Clock(item.document | selected, item.parameters, item.labels, item.run_config)
    changed.policies = policies | dict(item.policies)
    return changed


def _documents(option: str, items: Iterable[Any], kind: type) -> list[dict[str, Any]]:
    objects = list(options.require(option, items, Iterable, f"a list of {kind.__name__.lower()}s"))
    for item in objects:
        if not isinstance(item, kind):
            raise TypeError(
                f"{item!r} can't be registered with a schedule; use one from appliance.{kind.__name__.lower()}s."
            )
    return [item.to_document() for item in objects]
