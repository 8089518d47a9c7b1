"""Due times on the command line: the options that describe a schedule, and the flow that it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import click

F = TypeVar("F", bound=Callable[..., Any])


def due_time_options(command: F) -> F:
    """--cron, --day-and, --every and --timezone."""
    for option in (
        click.option("--timezone", help="Time zone of the due times, such as Europe/Berlin [UTC]."),
        click.option(
            "--every", type=click.FloatRange(min=1), help="Due times as an interval in seconds, instead of --cron."
        ),
        click.option(
            "--day-and",
            is_flag=True,
            help="With --cron: a day must match both day-of-month and day-of-week, instead of either.",
        ),
        click.option("--cron", help="Due times as a cron expression, such as '30 6 * * *'."),
    ):
        command = option(command)
    return command


def document_of(cron: str | None, every: float | None, timezone: str | None, day_and: bool) -> dict[str, Any]:
    """The schedule's document. Raises UsageError unless exactly one of cron and every is set."""
    if (cron is None) == (every is None):
        raise click.UsageError("Specify either --cron or --every.")
    if cron is not None:
        days = {"day_or": False} if day_and else {}
        return {"kind": "cron", "cron": cron, "timezone": timezone or "UTC"} | days
    if day_and:
        raise click.UsageError("--day-and needs --cron.")
    return {"kind": "interval", "seconds": every, "timezone": timezone or "UTC"}


def flow_named(transport: Any, project: str, name: str) -> UUID:
    """The id of a flow. Raises UsageError if it does not exist."""
    from appliance.client import flows

    for flow in flows.each(transport, project=project):
        if flow["name"] == name:
            return UUID(flow["id"])
    raise click.UsageError(
        f"There is no flow {name!r} in project {project!r}; run `appliance get flows` to list flows."
    )
