"""Clocks: one series of times each, with parameters, labels and a run config for the runs that it starts."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Any, Protocol, Unpack
from zoneinfo import ZoneInfo

from appliance.kit import clock, options
from appliance.kit.option_names import refuse_unknown
from appliance.schedules import policies as policy_rules
from appliance.schedules.errors import ScheduleError
from appliance.schedules.policies import Policies
from appliance.schedules.rule import Rule, parse, validate
from appliance.schedules.zones import zone_of


class StartingRuns(Protocol):
    """A run config."""

    @property
    def labels(self) -> Iterable[str]: ...

    def to_document(self) -> dict[str, Any]: ...


class Clock:
    """One series of times, with parameters, labels, and a run config for the runs that it starts.

    What `run_config` says counts more than the flow's run config. Every clock takes the policies that the server follows: `overlap`,
    `catch_up`, `catch_up_cap` and `catch_up_window`.
    """

    policies: Mapping[str, Any] = MappingProxyType({})  # of clocks that earlier releases pickled
    run_config: StartingRuns | None = None

    def __init__(
        self,
        document: Mapping[str, Any],
        parameters: Mapping[str, Any] | None = None,
        labels: Iterable[str] = (),
        run_config: StartingRuns | None = None,
        **policies: Unpack[Policies],
    ) -> None:
        _refuse_unknown(type(self), policies)
        validate(document)
        self.document = dict(document)
        self.parameters = options.mapping("parameters", parameters)
        self.labels = sorted(options.strings("labels", labels))
        self.policies = policy_rules.declared(policies)
        if run_config is not None:
            if not hasattr(run_config, "to_document"):
                raise TypeError("run_config must be a run config, such as ProcessRun(env={...}).")
            self.run_config = run_config
            self.labels = sorted({*self.labels, *run_config.labels})

    @cached_property
    def rule(self) -> Rule:
        """The parsed document, computed on first use: a machine that only runs the flow needs no time zones."""
        return parse(self.document)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "rule"}

    def next(self, n: int, after: datetime | None = None) -> list[datetime]:
        """The next `n` times strictly after `after`, by default after now, aware and in UTC. Raises ScheduleError."""
        return self.rule.next(n, after or clock.now())

    def to_document(self) -> dict[str, Any]:
        """The JSON form that is registered."""
        document = self.document | {"parameters": self.parameters, "labels": self.labels, **self.policies}
        return document | ({"run_config": _said(self.run_config)} if self.run_config is not None else {})

    def describe(self) -> str:
        """The clock in words."""
        return self.rule.describe()


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
        run_config: StartingRuns | None = None,
        **policies: Unpack[Policies],
    ) -> None:
        _refuse_unknown(type(self), policies)
        if not isinstance(interval, timedelta):
            raise TypeError("interval must be a timedelta.")
        zone = timezone or _zone_of(start_date)
        start = _instant(start_date, zone)
        anchor = start or _instant(datetime(2019, 1, 1), zone)  # noqa: DTZ001 - midnight in the schedule's own zone
        document = {"kind": "interval", "seconds": interval.total_seconds(), "anchor": anchor, "timezone": zone}
        super().__init__(
            document | {"start": start, "end": _instant(end_date, zone)}, parameters, labels, run_config, **policies
        )


class CronClock(Clock):
    """At the times of a cron expression, or of an alias such as @daily, in `timezone`.

    When both day fields are restricted, a day that matches either of them counts; with `day_or=False`, one that matches both.
    """

    def __init__(
        self,
        cron: str,
        timezone: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        parameters: Mapping[str, Any] | None = None,
        labels: Iterable[str] = (),
        day_or: bool = True,
        run_config: StartingRuns | None = None,
        **policies: Unpack[Policies],
    ) -> None:
        _refuse_unknown(type(self), policies)
        zone = timezone or _zone_of(start_date)
        document: dict[str, Any] = {"kind": "cron", "cron": cron, "timezone": zone}
        if day_or is not True:  # what older servers know is all that most schedules need
            document["day_or"] = day_or
        document |= {"start": _instant(start_date, zone), "end": _instant(end_date, zone)}
        super().__init__(document, parameters, labels, run_config, **policies)


class DatesClock(Clock):
    """At the given times only; those without an offset are wall times of `timezone`."""

    def __init__(
        self,
        dates: Iterable[datetime | date],
        timezone: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        labels: Iterable[str] = (),
        run_config: StartingRuns | None = None,
        **policies: Unpack[Policies],
    ) -> None:
        _refuse_unknown(type(self), policies)
        items = list(options.require("dates", dates, Iterable, "a list of datetimes or dates"))
        first = next((item for item in items if isinstance(item, datetime)), None)
        document = {"kind": "dates", "dates": [_wall(item) for item in items], "timezone": timezone or _zone_of(first)}
        super().__init__(document, parameters, labels, run_config, **policies)


class RRuleClock(Clock):
    """At the times of an RFC 5545 recurrence rule, on the wall of `timezone`.

    `rrule` is a string such as "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=6", optionally after a line DTSTART:20260101T063000, or a
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
        run_config: StartingRuns | None = None,
        **policies: Unpack[Policies],
    ) -> None:
        _refuse_unknown(type(self), policies)
        rule, begins = _rule_of(_text_of(rrule))
        start = start_date or getattr(rrule, "_dtstart", None) or begins  # dateutil's text leaves the zone out
        zone = timezone or _zone_of(start)
        document = {"kind": "rrule", "rrule": rule, "anchor": _wall(start) if start else None, "timezone": zone}
        super().__init__(document | {"end": _instant(end_date, zone)}, parameters, labels, run_config, **policies)


def _refuse_unknown(kind: type[Clock], given: Mapping[str, Any]) -> None:
    if given:
        known = [*inspect.signature(kind).parameters][:-1]
        refuse_unknown(kind.__name__, given, [*known, *policy_rules.DEFAULTS])


def _said(config: StartingRuns) -> dict[str, Any]:
    """What a run config changes: UniversalRun leaves the kind as it is, and labels are said beside it."""
    document = {name: value for name, value in config.to_document().items() if name != "labels" and value}
    return {name: value for name, value in document.items() if (name, value) != ("type", "universal")}


def _zone_of(start: datetime | None) -> str:
    options.require("start_date", start, datetime, "a datetime")
    return start.tzinfo.key if start is not None and isinstance(start.tzinfo, ZoneInfo) else "UTC"


def _instant(value: datetime | None, zone: str) -> str | None:
    if value is None:
        return None
    options.require("start_date and end_date", value, datetime, "datetimes")
    if value.tzinfo is None:  # a naive time is meant in the zone of the schedule
        value = value.replace(tzinfo=zone_of(zone))
    return clock.isoformat(value)


def _wall(value: datetime | date) -> str:
    if not isinstance(value, date):
        raise TypeError("Times of a schedule must be datetimes or dates.")
    if not isinstance(value, datetime):
        return f"{value.isoformat()}T00:00:00"
    return clock.isoformat(value) if value.tzinfo is not None else value.isoformat()


def _text_of(rrule: Any) -> str:
    """The text of a rule; dateutil's leaves out that its UNTIL is in UTC."""
    text, until = str(rrule), getattr(rrule, "_until", None)
    if isinstance(until, datetime) and until.tzinfo is not None:
        text = text.replace(f"UNTIL={until:%Y%m%dT%H%M%S}", f"UNTIL={until.astimezone(UTC):%Y%m%dT%H%M%SZ}")
    return text


def _rule_of(text: str) -> tuple[str, datetime | None]:
    """The rule of an iCalendar text, and its DTSTART."""
    begins, rule = None, ""
    for line in text.split():
        name, _, value = line.partition(":")
        name, _, zone = name.partition(";TZID=")
        if name.upper() == "DTSTART":
            try:
                begins = datetime.fromisoformat(value.upper())
            except ValueError as error:
                raise ScheduleError(f"DTSTART must be a time such as 20260101T063000, not {value[:40]!r}.") from error
            begins = begins.replace(tzinfo=zone_of(zone)) if zone else begins
        else:
            rule = f"{rule} {line}".strip().removeprefix("RRULE:")
    return rule, begins
