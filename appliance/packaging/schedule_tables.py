"""A schedule as a table of a project's pyproject.toml, such as `{ cron = "30 2 * * *", timezone = "Europe/Berlin", overlap = "skip" }`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from appliance.kit.option_names import refuse_unknown
from appliance.packaging.run_config_tables import override_of
from appliance.schedules import CronClock, DatesClock, IntervalClock, RRuleClock, policies, validate
from appliance.schedules.selection import FIELDS as SELECTING

_KINDS = ("cron", "interval", "rrule", "dates")
_BESIDE = ("parameters", "labels")
_TIMES = ("timezone", "start", "end", "day_or")


def schedule_of(place: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a schedule, as a clock in code would have it. Raises TypeError or ValueError, in one sentence."""
    refuse_unknown(place, table, (*_KINDS, *_TIMES, *_BESIDE, "run_config", *SELECTING, *policies.DEFAULTS))
    kinds = [kind for kind in _KINDS if kind in table]
    if len(kinds) != 1:
        raise TypeError("each of schedules needs exactly one of cron, interval (in seconds), rrule, and dates.")
    if "day_or" in table and kinds != ["cron"]:
        raise TypeError("day_or is an option of cron.")
    document = _MAKERS[kinds[0]](table)
    document |= {name: table[name] for name in SELECTING if name in table} | policies.require(table)
    config = table.get("run_config", {})
    if not isinstance(config, dict):
        raise TypeError("run_config must be a table, such as { env = { MODE = 'full' } }.")
    document |= {"run_config": override_of(f"{place} run_config", config)} if config else {}
    validate(document)
    return document


def _cron(table: Mapping[str, Any]) -> dict[str, Any]:
    clock = CronClock(
        table["cron"], table.get("timezone"), *_bounds(table), **_beside(table), day_or=table.get("day_or", True)
    )
    return clock.to_document()


def _interval(table: Mapping[str, Any]) -> dict[str, Any]:
    seconds = table["interval"]
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError("interval must be a number of seconds.")
    start, end = _bounds(table)
    return IntervalClock(timedelta(seconds=seconds), start, table.get("timezone"), end, **_beside(table)).to_document()


def _rrule(table: Mapping[str, Any]) -> dict[str, Any]:
    start, end = _bounds(table)
    return RRuleClock(table["rrule"], start, table.get("timezone"), end, **_beside(table)).to_document()


def _dates(table: Mapping[str, Any]) -> dict[str, Any]:
    if "start" in table or "end" in table:
        raise TypeError("dates have neither a start nor an end.")
    dates = table["dates"]
    if not isinstance(dates, list):
        raise TypeError("dates must be a list of times.")
    return DatesClock([_time("dates", item) for item in dates], table.get("timezone"), **_beside(table)).to_document()


_MAKERS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "cron": _cron,
    "interval": _interval,
    "rrule": _rrule,
    "dates": _dates,
}


def _bounds(table: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    start, end = (_time(name, table[name]) if name in table else None for name in ("start", "end"))
    return start, end


def _time(name: str, value: Any) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be a time such as 2026-01-31T06:30:00.") from error


def _beside(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: table[name] for name in _BESIDE if name in table}
