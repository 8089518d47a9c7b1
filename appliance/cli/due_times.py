"""Due times on the command line: the options that describe a schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def due_time_options(command: F) -> F:
    """--cron, --day-and, --day-or, --every and --timezone."""
    for option in (
        click.option("--timezone", help="Time zone of the due times, such as Europe/Berlin [UTC]."),
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
        command = option(command)
    return command


def document_of(cron: str | None, every: float | None, timezone: str | None, day_and: bool | None) -> dict[str, Any]:
    """The schedule's document. Raises UsageError unless exactly one of cron and every is set."""
    if (cron is None) == (every is None):
        raise click.UsageError("Specify either --cron or --every.")
    if cron is not None:
        days = {"day_or": False} if day_and else {}
        return {"kind": "cron", "cron": cron, "timezone": timezone or "UTC"} | days
    if day_and is not None:
        raise click.UsageError("--day-and and --day-or need --cron.")
    return {"kind": "interval", "seconds": every, "timezone": timezone or "UTC"}


def edited(
    document: Mapping[str, Any], cron: str | None, every: float | None, timezone: str | None, day_and: bool | None
) -> dict[str, Any]:
    """A schedule's document with what was set; all else in it stays, except what belongs to a kind that it no longer has."""
    from appliance.schedules.series import FIELDS_OF_KIND

    if cron is not None and every is not None:
        raise click.UsageError("Specify either --cron or --every.")
    kind = "cron" if cron is not None else "interval" if every is not None else document["kind"]
    other = set() if kind == document["kind"] else FIELDS_OF_KIND[document["kind"]] - FIELDS_OF_KIND[kind]
    changed = {name: value for name, value in document.items() if name not in other} | {"kind": kind}
    if day_and is not None and kind != "cron":
        raise click.UsageError("--day-and and --day-or need a schedule with a cron expression; set one with --cron.")
    for name, value in (("cron", cron), ("seconds", every), ("timezone", timezone)):
        changed |= {} if value is None else {name: value}
    return changed if day_and is None else changed | {"day_or": not day_and}
