"""A schedule's document, parsed once: the rule that answers every question about its times, for the SDK and the server alike.

A document is JSON with a `kind` and the fields of that kind (see `series`). Every kind also takes timezone, start, end,
parameters, labels, filters, or_filters, not_filters, adjustments, calendar and the policies (see `policies`).
Daylight saving: a fixed time inside a gap is due once, at the first valid instant after it; inside an overlap once, at its first
occurrence. Wild cron expressions and intervals that aren't whole days follow elapsed time.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from appliance.schedules import fields, policies
from appliance.schedules.errors import ScheduleError
from appliance.schedules.selection import FIELDS as SELECTING
from appliance.schedules.selection import Displaced, Selection
from appliance.schedules.series import FIELDS_OF_KIND, Series, kind_of, series_of
from appliance.schedules.texts import describe
from appliance.schedules.zones import EARLIEST, LATEST, zone_of

_Found = tuple[datetime, int, list[datetime]]
"""After when, how many times were asked for, and which there are."""
_ANSWERS_KEPT = 4
_RULES_KEPT = 128
_LONGEST_KEPT = 16 * 1024
_TICK = timedelta(microseconds=1)
_COMMON_FIELDS = frozenset(
    {"kind", "timezone", "start", "end", "parameters", "labels", "run_config", *SELECTING, *policies.DEFAULTS}
)
_BESIDE_TIMES = frozenset({"parameters", "labels", "run_config", *policies.DEFAULTS})
_OLD_FIELDS = frozenset({"cron", "seconds", "anchor"})
"""Fields that documents of the two oldest kinds, cron and interval, have always been allowed to have."""


class Rule:
    """The times of one schedule. Create it with `parse` and use it as often as needed."""

    __slots__ = ("_end", "_found", "_selection", "_series", "_start", "document")

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Raises ScheduleError."""
        kind_of(document)
        zone = zone_of(document.get("timezone"))
        self.document = document
        self._start, self._end = _bound(document, "start"), _bound(document, "end")
        self._series: Series = series_of(document, zone)
        self._found: tuple[_Found, ...] = ()
        self._selection = Selection(document, zone) if any(document.get(key) for key in SELECTING) else None

    def __reduce__(self) -> tuple[Callable[[Mapping[str, Any]], Rule], tuple[Mapping[str, Any]]]:
        return parse, (self.document,)

    def __repr__(self) -> str:
        return f"<Rule {self.describe()}>"

    def times(self, after: datetime) -> Iterator[datetime]:
        """The times strictly after `after`, increasing, aware and in UTC; they end when the schedule does.

        Raises ScheduleError for an `after` without an offset; the iterator raises it when no time passes the filters.
        """
        if after.tzinfo is None:
            raise ScheduleError("The time after which to look must have a UTC offset.")
        since = min(max(after, EARLIEST), LATEST).astimezone(UTC)
        return self._bounded(since) if self._selection is None else self._selection.pick(self._bounded, since)

    def next(self, n: int, after: datetime) -> list[datetime]:
        """The first `n` of `times(after)`; fewer when the schedule ends."""
        for since, most, times in self._found if after.tzinfo is not None else ():
            if most >= n and since <= after and (not times or after < times[0]):
                return times[:n]
        times = list(islice(self.times(after), max(0, n)))
        self._found = ((after, n, times), *self._found[: _ANSWERS_KEPT - 1])
        return list(times)

    def displaced(self, after: datetime, until: datetime) -> Iterator[Displaced]:
        """What the calendar moves or drops until then, of the times after `after` or moved past it."""
        return iter(()) if self._selection is None else self._selection.displaced(self._bounded, after, until)

    def describe(self, with_zone: bool = True) -> str:
        """The schedule in words, such as "Every day at 06:30 (Europe/Berlin), on weekdays"."""
        return describe(self.document, with_zone)

    def _bounded(self, since: datetime) -> Iterator[datetime]:
        if self._start is not None and self._start > since:
            since = self._start - _TICK  # the start itself counts
        times = self._series(max(since, EARLIEST))
        return times if self._end is None else _until(times, self._end)


_rules: OrderedDict[str, Rule] = OrderedDict()
_rules_lock = threading.Lock()


def parse(document: Mapping[str, Any]) -> Rule:
    """The rule of a schedule's document. Fields that it does not know are ignored; `validate` refuses them. Raises ScheduleError.

    The rules asked for last are kept, with what they have computed: what was found before a transaction need not be found in it.
    """
    kind_of(document)
    times = {key: value for key, value in document.items() if key not in _BESIDE_TIMES}
    try:
        key = json.dumps(times, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return Rule(document)
    with _rules_lock:
        rule = _rules.get(key)
    if rule is None:
        rule = Rule(document)
        if len(key) <= _LONGEST_KEPT:
            with _rules_lock:
                _rules[key] = rule
                while len(_rules) > _RULES_KEPT:
                    _rules.popitem(last=False)
    return rule


def validate(document: Mapping[str, Any]) -> Rule:
    """The rule of a document in which every field is known and valid. Raises ScheduleError, a ValueError with one sentence."""
    kind = kind_of(document)
    old = _OLD_FIELDS if kind in ("cron", "interval") else frozenset()
    fields.require_fields(document, "A schedule", _COMMON_FIELDS | FIELDS_OF_KIND[kind] | old)
    start, end = _bound(document, "start"), _bound(document, "end")
    if start is not None and end is not None and end <= start:
        raise ScheduleError("The end of a schedule must be after its start.")
    policies.require(document)
    rule = parse(document)
    rule.next(1, start - _TICK if start is not None else datetime(2026, 1, 1, tzinfo=UTC))
    if rule._selection is None:
        Selection(document, zone_of(document.get("timezone")))  # `parse` passes over empty ones, whatever they are
    return rule


def _until(times: Iterator[datetime], end: datetime) -> Iterator[datetime]:
    for time in times:
        if time > end:
            return
        yield time


def _bound(document: Mapping[str, Any], key: str) -> datetime | None:
    text = document.get(key)
    return None if text is None else fields.instant(text, f"The {key}")
