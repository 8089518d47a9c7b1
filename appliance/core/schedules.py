"""Schedules of a flow: one or more clocks, whose times are merged after filters, adjustments and a calendar."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from appliance.core import clocks as rules
from appliance.core.calendars import Calendar
from appliance.core.errors import ScheduleError
from appliance.core.schedule_adjustments import Adjustment
from appliance.core.schedule_filters import Filter
from appliance.core.schedule_texts import describe
from appliance.core.zones import named
from appliance.kit import clock


class Clock:
    """One series of times, with parameters and labels for the runs that it starts."""

    def __init__(
        self, document: Mapping[str, Any], parameters: Mapping[str, Any] | None = None, labels: Iterable[str] = ()
    ) -> None:
        rules.validate(document)
        self.document = dict(document)
        self.parameters = dict(parameters or {})
        self.labels = sorted(set(labels))

    def next(self, n: int, after: datetime | None = None) -> list[datetime]:
        """The next `n` times strictly after `after`, by default after now, aware and in UTC. Raises ScheduleError."""
        return rules.next_times(self.document, after or clock.now(), n)

    def to_document(self) -> dict[str, Any]:
        """The JSON form that is registered."""
        return self.document | {"parameters": self.parameters, "labels": self.labels}

    def describe(self) -> str:
        """The clock in words."""
        return describe(self.document)


class IntervalClock(Clock):
    """Every `interval`, counted from `start_date`; intervals of whole days keep the wall time of `timezone`."""

    def __init__(
        self,
        interval: timedelta,
        start_date: datetime | None = None,
        timezone: str | None = None,
        end_date: datetime | None = None,
        parameters: Mapping[str, Any] | None = None,
        labels: Iterable[str] = (),
    ) -> None:
        if not isinstance(interval, timedelta):
            raise TypeError("interval must be a timedelta.")
        zone = timezone or _zone_of(start_date)
        start = _instant(start_date, zone)
        anchor = start or _instant(datetime(2019, 1, 1), zone)  # noqa: DTZ001 - midnight in the schedule's own zone
        document = {"kind": "interval", "seconds": interval.total_seconds(), "anchor": anchor, "timezone": zone}
        super().__init__(document | {"start": start, "end": _instant(end_date, zone)}, parameters, labels)


class CronClock(Clock):
    """At the times of a cron expression, or of an alias such as @daily, in `timezone`."""

    def __init__(
        self,
        cron: str,
        timezone: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        parameters: Mapping[str, Any] | None = None,
        labels: Iterable[str] = (),
    ) -> None:
        zone = timezone or _zone_of(start_date)
        document = {"kind": "cron", "cron": cron, "timezone": zone}
        super().__init__(
            document | {"start": _instant(start_date, zone), "end": _instant(end_date, zone)}, parameters, labels
        )


class DatesClock(Clock):
    """At the given times and no others; those without an offset are meant on the wall of `timezone`."""

    def __init__(
        self,
        dates: Iterable[datetime | date],
        timezone: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        labels: Iterable[str] = (),
    ) -> None:
        given = list(dates)
        first = next((item for item in given if isinstance(item, datetime)), None)
        document = {"kind": "dates", "dates": [_wall(item) for item in given], "timezone": timezone or _zone_of(first)}
        super().__init__(document, parameters, labels)


class RRuleClock(Clock):
    """At the times of an RFC 5545 recurrence rule, on the wall of `timezone`.

    `rrule` is a text such as "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=6", which may stand after a line DTSTART:20260101T063000, or a
    dateutil rrule. The rule counts from `start_date`, else from its DTSTART, else from midnight of 2019-01-01.
    """

    def __init__(
        self,
        rrule: Any,
        start_date: datetime | None = None,
        timezone: str | None = None,
        end_date: datetime | None = None,
        parameters: Mapping[str, Any] | None = None,
        labels: Iterable[str] = (),
    ) -> None:
        rule, begins = _rule_of(str(rrule))
        start = start_date or getattr(rrule, "_dtstart", None) or begins  # dateutil's text leaves the zone out
        zone = timezone or _zone_of(start)
        document = {"kind": "rrule", "rrule": rule, "anchor": _wall(start) if start else None, "timezone": zone}
        super().__init__(document | {"end": _instant(end_date, zone)}, parameters, labels)


class Schedule:
    """The merged times of its clocks.

    A time counts when all `filters` hold, one of `or_filters` does (when there are any) and none of `not_filters`; then it goes
    through the `adjustments` in order, and last through the `calendar`. All of them apply to each clock in its own time zone.
    """

    def __init__(
        self,
        clocks: Iterable[Clock],
        filters: Iterable[Filter] = (),
        or_filters: Iterable[Filter] = (),
        not_filters: Iterable[Filter] = (),
        adjustments: Iterable[Adjustment] = (),
        calendar: Calendar | None = None,
    ) -> None:
        given = list(clocks)
        if not all(isinstance(item, Clock) for item in given):
            raise TypeError("A schedule is made of clocks: Schedule([CronClock(...), IntervalClock(...)]).")
        selected: dict[str, Any] = {
            "filters": _documents(filters, Filter),
            "or_filters": _documents(or_filters, Filter),
            "not_filters": _documents(not_filters, Filter),
            "adjustments": _documents(adjustments, Adjustment),
            "calendar": calendar.to_document() if calendar is not None else None,
        }
        selected = {key: value for key, value in selected.items() if value}
        self.clocks = [
            Clock(item.document | selected, item.parameters, item.labels) if selected else item for item in given
        ]

    def next(self, n: int, after: datetime | None = None) -> list[datetime]:
        """The next `n` different times of all clocks in order, strictly after `after`, by default after now; aware, in UTC.

        Raises ScheduleError, also for an `after` without an offset.
        """
        after = after or clock.now()
        merged = heapq.merge(*(item.next(n, after) for item in self.clocks))
        return list(islice(dict.fromkeys(merged), n))

    def due(self, after: datetime) -> tuple[datetime, Clock] | None:
        """The next time and the clock that it is from, the first of those that share it; None when there are no more."""
        found = [(times[0], index) for index, item in enumerate(self.clocks) if (times := item.next(1, after))]
        if not found:
            return None
        time, index = min(found)
        return time, self.clocks[index]

    def describe(self) -> str:
        """The schedule in words, its clocks parted by semicolons."""
        return "; ".join(item.describe() for item in self.clocks)


def IntervalSchedule(
    interval: timedelta,
    start_date: datetime | None = None,
    timezone: str | None = None,
    end_date: datetime | None = None,
) -> Schedule:
    """A schedule of one interval clock."""
    return Schedule([IntervalClock(interval, start_date, timezone, end_date)])


def CronSchedule(
    cron: str, timezone: str | None = None, start_date: datetime | None = None, end_date: datetime | None = None
) -> Schedule:
    """A schedule of one cron clock."""
    return Schedule([CronClock(cron, timezone, start_date, end_date)])


def DatesSchedule(dates: Iterable[datetime | date], timezone: str | None = None) -> Schedule:
    """A schedule of one clock of dates."""
    return Schedule([DatesClock(dates, timezone)])


def RRuleSchedule(
    rrule: Any, start_date: datetime | None = None, timezone: str | None = None, end_date: datetime | None = None
) -> Schedule:
    """A schedule of one recurrence rule."""
    return Schedule([RRuleClock(rrule, start_date, timezone, end_date)])


def _documents(items: Iterable[Any], kind: type) -> list[dict[str, Any]]:
    given = list(items)
    for item in given:
        if not isinstance(item, kind):
            raise TypeError(
                f"{item!r} is no {kind.__name__.lower()} that can be registered; take one from appliance.{kind.__name__.lower()}s."
            )
    return [item.to_document() for item in given]


def _zone_of(start: datetime | None) -> str:
    return start.tzinfo.key if start is not None and isinstance(start.tzinfo, ZoneInfo) else "UTC"


def _instant(value: datetime | None, zone: str) -> str | None:
    if value is None:
        return None
    if value.tzinfo is None:  # a naive time is meant in the zone of the schedule
        value = value.replace(tzinfo=named(zone))
    return clock.isoformat(value)


def _wall(value: datetime | date) -> str:
    if not isinstance(value, date):
        raise TypeError("Times of a schedule must be datetimes or dates.")
    if not isinstance(value, datetime):
        return f"{value.isoformat()}T00:00:00"
    return clock.isoformat(value) if value.tzinfo is not None else value.isoformat()


def _rule_of(text: str) -> tuple[str, datetime | None]:
    """The rule of an iCalendar text, and its DTSTART."""
    begins, rule = None, ""
    for line in text.split():
        name, _, value = line.partition(":")
        if name.upper() == "DTSTART" and not value.upper().endswith("Z"):
            try:
                begins = datetime.fromisoformat(value)
            except ValueError as error:
                raise ScheduleError(
                    f"DTSTART must be a wall time such as 20260101T063000, not {value[:40]!r}."
                ) from error
        else:
            rule = f"{rule} {line}".strip().removeprefix("RRULE:")
    return rule, begins
