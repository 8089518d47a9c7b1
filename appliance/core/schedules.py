"""Schedules of a flow: one or more clocks, whose times are merged."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from appliance.core import clocks
from appliance.core.errors import ScheduleError
from appliance.kit import clock


class Clock:
    """One series of times, with parameters and labels for the runs that it starts."""

    def __init__(
        self, document: Mapping[str, Any], parameters: Mapping[str, Any] | None = None, labels: Iterable[str] = ()
    ) -> None:
        clocks.validate(document)
        self.document = dict(document)
        self.parameters = dict(parameters or {})
        self.labels = sorted(set(labels))

    def next(self, n: int, after: datetime | None = None) -> list[datetime]:
        """The next `n` times after `after`, by default after now."""
        return clocks.next_times(self.document, after or clock.now(), n)

    def to_document(self) -> dict[str, Any]:
        """The JSON form that is registered."""
        return self.document | {"parameters": self.parameters, "labels": self.labels}


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
        start = _text(start_date, zone)
        anchor = start or _text(datetime(2019, 1, 1), zone)  # noqa: DTZ001 - midnight in the schedule's own zone
        document = {"kind": "interval", "seconds": interval.total_seconds(), "anchor": anchor, "timezone": zone}
        super().__init__(document | {"start": start, "end": _text(end_date, zone)}, parameters, labels)


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
            document | {"start": _text(start_date, zone), "end": _text(end_date, zone)}, parameters, labels
        )


class Schedule:
    """The merged times of its clocks."""

    def __init__(self, clocks: Iterable[Clock]) -> None:
        self.clocks = list(clocks)
        if not all(isinstance(item, Clock) for item in self.clocks):
            raise TypeError("A schedule is made of clocks: Schedule([CronClock(...), IntervalClock(...)]).")

    def next(self, n: int, after: datetime | None = None) -> list[datetime]:
        """The next `n` different times of all clocks in order."""
        after = after or clock.now()
        merged = heapq.merge(*(item.next(n, after) for item in self.clocks))
        return list(islice(dict.fromkeys(merged), n))

    def due(self, after: datetime) -> tuple[datetime, Clock] | None:
        """The next time and the clock that it is from; None when there are no more."""
        found = [(times[0], index) for index, item in enumerate(self.clocks) if (times := item.next(1, after))]
        if not found:
            return None
        time, index = min(found)
        return time, self.clocks[index]


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


def _zone_of(start: datetime | None) -> str:
    return start.tzinfo.key if start is not None and isinstance(start.tzinfo, ZoneInfo) else "UTC"


def _text(value: datetime | None, zone: str) -> str | None:
    if value is None:
        return None
    if value.tzinfo is None:  # a naive time is meant in the zone of the schedule
        try:
            value = value.replace(tzinfo=ZoneInfo(zone))
        except (ValueError, OSError, KeyError) as error:
            raise ScheduleError(f"There is no time zone {zone!r}; use an IANA name such as Europe/Berlin.") from error
    return clock.isoformat(value)
