"""Due times on the command line: the options that describe a schedule."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import wraps
from typing import Any, TypeVar, cast

import click

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class DueTimes:
    """What the options say; None and no dates: nothing."""

    cron: str | None = None
    every: float | None = None
    dates: tuple[str, ...] = ()
    timezone: str | None = None
    day_and: bool | None = None

    def __bool__(self) -> bool:
        return self != DueTimes()

    @property
    def kind(self) -> str | None:
        """The kind of schedule that they name. Raises UsageError if there are several."""
        named = {"cron": self.cron is not None, "interval": self.every is not None, "dates": bool(self.dates)}
        kinds = [kind for kind, is_named in named.items() if is_named]
        if len(kinds) > 1:
            raise click.UsageError("Specify one of --cron, --every, and --date.")
        return kinds[0] if kinds else None

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a document that they set, but for its kind and the combination of the day fields."""
        values = {"cron": self.cron, "seconds": self.every, "timezone": self.timezone}
        dates = {"dates": list(map(_date, self.dates))} if self.dates else {}
        return {name: value for name, value in values.items() if value is not None} | dates


def due_time_options(command: F) -> F:
    """--cron, --day-and, --day-or, --every, --date and --timezone: one argument, `times`."""

    @wraps(command)
    def with_times(*arguments: Any, **options: Any) -> Any:
        values = {field.name: options.pop(field.name) for field in fields(DueTimes)}
        return command(*arguments, times=DueTimes(**values), **options)

    for option in (
        click.option("--timezone", help="Time zone of the due times, such as Europe/Berlin [UTC]."),
        click.option(
            "--date",
            "dates",
            multiple=True,
            help="A due time, such as '2026-12-24 06:00', instead of --cron (repeatable).",
        ),
        click.option(
            "--every", type=click.FloatRange(min=1), help="Due times as an interval in seconds, instead of --cron."
        ),
        click.option(
            "--day-and/--day-or",
            default=None,
            help="With --cron: a day must match both day-of-month and day-of-week, or either of them [either].",
        ),
        click.option("--cron", help="Due times as a cron expression, such as '30 6 * * *'."),
    ):
        with_times = option(with_times)
    return cast(F, with_times)


def document_of(times: DueTimes) -> dict[str, Any]:
    """The schedule's document. Raises UsageError unless exactly one of cron, every and dates is set."""
    kind = times.kind
    if kind is None:
        raise click.UsageError("Specify one of --cron, --every, and --date.")
    if times.day_and is not None and kind != "cron":
        raise click.UsageError("--day-and and --day-or need --cron.")
    return {"kind": kind, "timezone": "UTC", **times.fields} | ({"day_or": False} if times.day_and else {})


def edited(document: Mapping[str, Any], times: DueTimes) -> dict[str, Any]:
    """A schedule's document with what was set; all else in it stays, except what belongs to a kind that it no longer has."""
    from appliance.schedules.series import FIELDS_OF_KIND

    kind = times.kind or document["kind"]
    if times.day_and is not None and kind != "cron":
        raise click.UsageError("--day-and and --day-or need a schedule with a cron expression; set one with --cron.")
    other = set() if kind == document["kind"] else FIELDS_OF_KIND[document["kind"]] - FIELDS_OF_KIND[kind]
    kept = {name: value for name, value in document.items() if name not in other}
    days = {} if times.day_and is None else {"day_or": not times.day_and}
    return kept | {"kind": kind} | times.fields | days


def _date(text: str) -> str:
    """In ISO 8601: on the clock of the schedule's zone, unless it has an offset. The server checks it."""
    return re.sub(r"^(\d{4}-\d\d-\d\d) +(?=\d)", r"\1T", text.strip())
