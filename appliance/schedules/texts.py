"""Schedules in words, for people: "Every day at 06:30 (Europe/Berlin), on weekdays, except holidays"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from appliance.kit.plurals import counted
from appliance.schedules.cron import LAST, LAST_WEEKDAY, Cron
from appliance.schedules.cron import parse as parse_cron
from appliance.schedules.errors import ScheduleError
from appliance.schedules.fields import WEEKDAYS, weekday

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_MONTHS = "January February March April May June July August September October November December".split()
_NTH = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", LAST: "last"}
_MOST_TIMES = 6
_MOST_FILTERS = 10


def describe(document: Mapping[str, Any], with_zone: bool = True) -> str:
    """A schedule's document in words; if there are none, the expression itself. Never raises."""
    try:
        base, rest = _DESCRIBED[str(document.get("kind"))](document)
        zone = document.get("timezone") or "UTC"
        suffix = f" ({zone})" if with_zone and zone != "UTC" and document.get("kind") != "interval" else ""
        return ", ".join([base[:1].upper() + base[1:] + suffix, *rest, *_selection(document)])
    except (ScheduleError, LookupError, TypeError, ValueError):
        return str(document.get("cron") or document.get("rrule") or f"A schedule of kind {document.get('kind')}")


def _interval(document: Mapping[str, Any]) -> tuple[str, list[str]]:
    return every(float(document["seconds"])), []


def every(seconds: float) -> str:
    """An interval in words, such as "every 15 minutes"."""
    for size, unit in _UNITS:
        if seconds >= size and seconds % size == 0:
            return _each(int(seconds // size), unit)
    return f"every {counted(seconds, 'second')}"


def _dates(document: Mapping[str, Any]) -> tuple[str, list[str]]:
    dates = sorted(str(item) for item in document["dates"])
    excerpts = [
        item[:16].replace("T", " ") + (" UTC" if item.endswith("Z") else item[19:] if "." not in item else "")
        for item in dates[:3]
    ]
    if len(dates) == 1:
        return f"once, at {excerpts[0]}", []
    return f"at {len(dates)} times: {_and(excerpts) if len(dates) <= 3 else ', '.join(excerpts) + ' and so on'}", []


def _rrule(document: Mapping[str, Any]) -> tuple[str, list[str]]:
    return f"by the rule {document['rrule']}", []


def _cron(document: Mapping[str, Any]) -> tuple[str, list[str]]:
    cron = parse_cron(document["cron"], document.get("day_or", True))
    when = _time_of_day(cron)
    days = _days(cron)
    if when.startswith("at ") and not any("the " in text for text in days):
        when = f"every day {when}"
    months = [f"in {_and([_MONTHS[month - 1] for month in cron.months])}"] if len(cron.months) < 12 else []
    return when, days + months


def _time_of_day(cron: Cron) -> str:
    second, minute, hour = cron.fields[:3]
    if second != "0":
        return _with_seconds(cron)
    if not cron.wild and len(cron.hours) * len(cron.minutes) <= _MOST_TIMES:
        return "at " + _and([f"{h:02}:{m:02}" for h in cron.hours for m in cron.minutes])
    step = _step(minute)
    if hour == "*":
        if step:
            return _each(step, "minute") + (" from the start of each hour" if 60 % step else "")
        return "every hour" if cron.minutes == (0,) else f"every hour at {_list('minute', cron.minutes)}"
    if _step(hour) and len(cron.minutes) == 1:
        return _each(_step(hour), "hour") + (f" at minute {cron.minutes[0]}" if cron.minutes != (0,) else "")
    if step and _in_a_row(cron.hours):
        return f"{_each(step, 'minute')} from {cron.hours[0]:02}:00 to {cron.hours[-1]:02}:59"
    if cron.minutes == (0,) and _in_a_row(cron.hours):
        return f"every hour from {cron.hours[0]:02}:00 to {cron.hours[-1]:02}:00"
    return f"at {_list('minute', cron.minutes)} of {_list('hour', cron.hours)}"


def _with_seconds(cron: Cron) -> str:
    second, minute, hour = cron.fields[:3]
    if minute == hour == "*":
        return _each(_step(second), "second") if _step(second) else f"every minute at {_list('second', cron.seconds)}"
    if not cron.wild and len(cron.hours) * len(cron.minutes) * len(cron.seconds) <= _MOST_TIMES:
        times = [f"{h:02}:{m:02}:{s:02}" for h in cron.hours for m in cron.minutes for s in cron.seconds]
        return "at " + _and(times)
    return f"at {_list('second', cron.seconds)} of {_list('minute', cron.minutes)} of {_list('hour', cron.hours)}"


def _days(cron: Cron) -> list[str]:
    of_month, of_week = _of_month(cron), _of_week(cron)
    if of_month and of_week:
        return [f"on {of_month} {'if that is also on' if cron.both_days else 'or on'} {of_week}"]
    return [f"on {text}" for text in (of_month, of_week) if text]


def _of_month(cron: Cron) -> str:
    if cron.fields[3] == "*":
        return ""
    named = ["last"] if LAST in cron.days else []
    named += ["last weekday"] if LAST_WEEKDAY in cron.days else []
    days = [_ordinal(day) for day in sorted(cron.days) if day > 0] + named
    return f"the {_and(days)} {'day ' if named == ['last'] else ''}of the month"


def _of_week(cron: Cron) -> str:
    if cron.fields[5] == "*":
        return ""
    plain = _weekdays(cron.weekdays)
    nth = [f"the {_NTH[n]} {WEEKDAYS[day].capitalize()} of the month" for day, n in sorted(cron.nth_weekdays)]
    return _and([*([plain] if plain else []), *nth])


def _weekdays(days: Iterable[int]) -> str:
    numbers = set(days)
    if numbers == {1, 2, 3, 4, 5}:
        return "weekdays"
    if numbers == {0, 6}:
        return "weekends"
    return _and([f"{WEEKDAYS[day].capitalize()}s" for day in sorted(numbers, key=lambda day: (day - 1) % 7)])


def _selection(document: Mapping[str, Any]) -> list[str]:
    phrases = [_filter(item) for item in document.get("filters") or []]
    if some := document.get("or_filters"):
        phrases.append(" or ".join(_filter(item) for item in some))
    phrases += [f"not {_filter(item)}" for item in document.get("not_filters") or []]
    if len(phrases) > _MOST_FILTERS:
        phrases = [*phrases[:_MOST_FILTERS], "and more"]
    for item in document.get("adjustments") or []:
        later = item["kind"] == "add" and item["seconds"] >= 0
        shift = every(abs(item["seconds"])).removeprefix("every ") if item["kind"] == "add" else ""
        shift = shift if shift[:1].isdigit() else f"1 {shift}"
        phrases.append(
            f"then {shift} {'later' if later else 'earlier'}" if item["kind"] == "add" else "moved to the next weekday"
        )
    calendar = document.get("calendar")
    return phrases + (_calendar(calendar) if calendar else [])


def _filter(item: Mapping[str, Any]) -> str:
    kind = item["kind"]
    if kind == "between_times":
        return f"from {item['start'][:8]} to {item['end'][:8]}"
    if kind == "between_dates":
        edges = (f"{_MONTHS[item[f'{key}_month'] - 1]} {item[f'{key}_day']}" for key in ("start", "end"))
        return "from " + " to ".join(edges)
    if kind == "between_datetimes":
        return f"from {item['start'][:16].replace('T', ' ')} to {item['end'][:16].replace('T', ' ')}"
    if kind == "is_day_of_week":
        return f"on {WEEKDAYS[weekday(item['day'], 'The day')].capitalize()}s"
    if kind == "on_date":
        return f"on {_MONTHS[item['month'] - 1]} {item['day']}"
    if kind in ("at_time", "on_datetime"):
        return f"at {item['at'][:16].replace('T', ' ')}"
    return _PLAIN_FILTERS[kind]


def _calendar(calendar: Mapping[str, Any]) -> list[str]:
    phrases = []
    days = calendar.get("business_days")
    if days is not None:
        phrases.append(f"on business days ({_weekdays(weekday(day, 'A business day') for day in days)})")
    closed = [name for key, name in (("holidays", "holidays"), ("blackouts", "blackouts")) if calendar.get(key)]
    moved = calendar.get("when_closed") == "move"
    if closed:
        phrases.append(f"except {_and(closed)}")
    if calendar.get("name") and phrases:
        phrases[-1] += f" of {calendar['name']}"
    if moved and phrases:
        phrases.append("moved to the next allowed time")
    return phrases


def _each(number: int, unit: str) -> str:
    return f"every {unit}" if number == 1 else f"every {number} {unit}s"


def _step(field: str) -> int:
    """The n of `*/n`, 1 for `*` and 0 for anything else."""
    return 1 if field == "*" else int(field[2:]) if field.startswith("*/") and field[2:].isdigit() else 0


def _in_a_row(values: Sequence[int]) -> bool:
    return values[-1] - values[0] == len(values) - 1


def _list(unit: str, values: Sequence[int]) -> str:
    if len(values) > 2 and _in_a_row(values):
        return f"{unit}s {values[0]} to {values[-1]}"
    return f"{unit}{'s' if len(values) > 1 else ''} {_and([str(value) for value in values])}"


def _ordinal(number: int) -> str:
    ending = "th" if 11 <= number % 100 <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _and(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else ", ".join(texts[:-1]) + " and " + texts[-1] if texts else ""


_PLAIN_FILTERS = {
    "is_weekday": "on weekdays",
    "is_weekend": "on weekends",
    "is_month_start": "on the first day of the month",
    "is_month_end": "on the last day of the month",
}
_DESCRIBED = {"cron": _cron, "interval": _interval, "dates": _dates, "rrule": _rrule}
