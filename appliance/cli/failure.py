"""`appliance failure`: lists known failures, marks why a run failed as known, and removes the mark."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

import click

from appliance.cli import zone
from appliance.cli.connection import connect
from appliance.cli.identifiers import KnownFailureId, RunId
from appliance.cli.options import key_option, reason_option
from appliance.cli.output import as_json, echo, print_json, print_table
from appliance.cli.values import AwareTime
from appliance.kit import clock
from appliance.protocol.known_failures import KnownFailureView, MarkFailure

EPILOG = """\b
Examples:
  appliance failure list --project finance
  appliance failure mark calm-otter --until monday --reason 'the supplier is closed'
  appliance failure unmark finance/etl"""
_MORNING = time(8)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Until(AwareTime):
    """A time, or the next morning at 8 of a day of the week or of tomorrow."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        word = str(value).lower()
        today = zone.local(clock.now()).date()
        if word == "tomorrow":
            days = 1
        elif word in _DAYS:
            days = (_DAYS.index(word) - today.weekday() - 1) % 7 + 1
        else:
            try:
                return super().convert(value, param, ctx)
            except click.BadParameter:
                self.fail(
                    f"{value!r} is not a time; write it like 2026-01-31T06:30:00, tomorrow, or monday.", param, ctx
                )
        return zone.instant(datetime.combine(today + timedelta(days=days), _MORNING))


@click.group(epilog=EPILOG)
def failure() -> None:
    """Mark failures as known, so that they no longer call for attention, and list those that are.

    A failure is a flow, one of its tasks, and a message, whatever the numbers in it. The next success of the flow resolves what is known of it.
    """


@failure.command("list", epilog=EPILOG)
@click.option("--project", help="List the known failures of this project only.")
@click.option("--resolved", is_flag=True, help="List those that are resolved instead.")
@as_json
def list_failures(project: str | None, resolved: bool, json_output: bool) -> None:
    """List known failures, newest first, with who marked them, until when, and why."""
    from appliance.client import known_failures

    items = list(known_failures.listed(connect(), project, resolved=resolved))
    if json_output:
        print_json(items)
        return
    end = "RESOLVED" if resolved else "UNTIL"
    rows = (
        (_name(one), one.message[:60], _end(one), one.marked_by, one.reason, one.last_seen, one.id) for one in items
    )
    empty = "No known failure has been resolved." if resolved else "There are no known failures."
    print_table(("FAILURE", "MESSAGE", end, "BY", "REASON", "LAST SEEN", "ID"), rows, empty)


@failure.command(epilog=EPILOG)
@click.argument("run_id", type=RunId(), metavar="RUN")
@click.option(
    "--until",
    type=Until(),
    help="Until when it is known at most: a time, or tomorrow or a weekday for 8 in the morning [until the flow succeeds].",
)
@reason_option("beside the failure in the inbox")
@key_option
@as_json
def mark(run_id: UUID, until: datetime | None, reason: str, json_output: bool) -> None:
    """Mark why RUN failed as known. Marking it again replaces the time and the reason."""
    from appliance.client import known_failures

    known = known_failures.mark(connect(), MarkFailure(flow_run_id=run_id, until=until, reason=reason))
    if json_output:
        print_json(known)
        return
    limit = "" if known.until is None else f", at most until {zone.named(known.until)}"
    echo(f"The failure of {_name(known)} is known until the flow succeeds{limit}.")


@failure.command(epilog=EPILOG)
@click.argument("known_failure_id", type=KnownFailureId(), metavar="FAILURE")
@key_option
def unmark(known_failure_id: UUID) -> None:
    """Remove a known failure, so that it calls for attention again. FAILURE is its id, or its flow if that has only one."""
    from appliance.client import known_failures

    known_failures.unmark(connect(), known_failure_id)
    echo("The failure is not known any more.")


def _name(one: KnownFailureView) -> str:
    return f"{one.project}/{one.flow}" + (f" {one.task_slug}" if one.task_slug else "")


def _end(one: KnownFailureView) -> datetime | str | None:
    if one.resolved_at is not None:
        return one.resolved_at
    if one.until is None:
        return "the flow succeeds"
    return f"{zone.text(one.until)} (over)" if one.expired else one.until
