"""`appliance schedule`: when flows run by themselves, and what becomes of due times that were missed or overlap."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.due_times import document_of, due_time_options, flow_named
from appliance.cli.durations import Duration
from appliance.cli.output import as_json, print_json, print_table
from appliance.cli.values import Assignment

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def schedule() -> None:
    """Add, change, switch and delete the schedules of flows. `appliance get schedules` lists them."""


def policy_options(command: F) -> F:
    """What a schedule does besides naming times."""
    for option in (
        click.option(
            "--overlap",
            type=click.Choice(["allow", "queue", "skip", "cancel"]),
            help="While a run of it is at work: start the next too, let it wait, skip it, or cancel the older one.",
        ),
        click.option(
            "--catch-up-window", type=Duration(), help="Missed times that are older than 6h or 2d are skipped."
        ),
        click.option("--catch-up-cap", type=click.IntRange(min=1), help="With `all`: at most so many of the newest."),
        click.option(
            "--catch-up",
            type=click.Choice(["none", "latest", "all"]),
            help="Which due times get their run later when the appliance was away.",
        ),
        click.option("-p", "--param", "parameters", multiple=True, type=Assignment(), help="A parameter of its runs."),
    ):
        command = option(command)
    return command


@schedule.command(
    epilog="\b\nExamples:\n  appliance schedule add etl --project finance --cron '30 6 * * *' --timezone Europe/Berlin"
    "\n  appliance schedule add etl --project finance --every 900 --overlap skip --catch-up latest"
)
@click.argument("flow")
@click.option("--project", required=True, help="The flow's project.")
@due_time_options
@policy_options
@as_json
def add(
    flow: str,
    project: str,
    cron: str | None,
    every: float | None,
    timezone: str | None,
    json_output: bool,
    **given: Any,
) -> None:
    """Give FLOW a schedule; its next runs exist at once."""
    from appliance.client import schedules

    document, transport = document_of(cron, every, timezone), connect()
    fields = _fields(given) | {"document": document}
    _tell(schedules.create(transport, flow_named(transport, project, flow), fields), json_output)


@schedule.command(
    epilog="\b\nExample:\n  appliance schedule edit ID --catch-up all --catch-up-cap 10 --catch-up-window 2d"
)
@click.argument("schedule_id", type=click.UUID, metavar="ID")
@due_time_options
@policy_options
@as_json
def edit(
    schedule_id: UUID, cron: str | None, every: float | None, timezone: str | None, json_output: bool, **given: Any
) -> None:
    """Change a schedule. Its planned runs are replaced; what is not named stays as it is."""
    from appliance.client import schedules

    fields = _fields(given)
    if cron is not None or every is not None or timezone is not None:
        fields["document"] = document_of(cron, every, timezone)
    if not fields:
        raise click.UsageError("Name what to change; --help shows what can be.")
    _tell(schedules.edit(connect(), schedule_id, fields), json_output)


@schedule.command()
@click.argument("schedule_id", type=click.UUID, metavar="ID")
@as_json
def pause(schedule_id: UUID, json_output: bool) -> None:
    """Switch a schedule off; its planned runs go."""
    from appliance.client import schedules

    _tell(schedules.set_active(connect(), schedule_id, False), json_output)


@schedule.command()
@click.argument("schedule_id", type=click.UUID, metavar="ID")
@as_json
def resume(schedule_id: UUID, json_output: bool) -> None:
    """Switch a schedule on; times that passed meanwhile stay without runs."""
    from appliance.client import schedules

    _tell(schedules.set_active(connect(), schedule_id, True), json_output)


@schedule.command()
@click.argument("schedule_id", type=click.UUID, metavar="ID")
def delete(schedule_id: UUID) -> None:
    """Delete a schedule with its planned runs; runs that are due or over stay."""
    from appliance.client import schedules

    schedules.delete(connect(), schedule_id)
    click.echo("The schedule is deleted.")


@schedule.command()
@click.argument("schedule_id", type=click.UUID, metavar="ID")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many rows at the most.")
@as_json
def skips(schedule_id: UUID, limit: int, json_output: bool) -> None:
    """List the due times that got no run, newest first, with the reason."""
    from appliance.client import schedules

    found = schedules.skips(connect(), schedule_id, limit)
    if json_output:
        print_json(found)
        return
    rows = ((one["first"], one["last"], str(one["count"]), one["reason"]) for one in found)
    print_table(("FIRST", "LAST", "TIMES", "WHY"), rows, "Every due time of it got a run.")


def _fields(given: dict[str, Any]) -> dict[str, Any]:
    """What was named, as the server wants it."""
    found = {name: value for name, value in given.items() if value is not None and value != ()}
    if "parameters" in found:
        found["parameters"] = dict(found["parameters"])
    if isinstance(found.get("catch_up_window"), timedelta):
        found["catch_up_window"] = found["catch_up_window"].total_seconds()
    return found


def _tell(found: dict[str, Any], json_output: bool) -> None:
    if json_output:
        print_json(found)
        return
    click.echo(f"{found['id']}  {found['project']}/{found['flow']}: {found['description']} ({found['timezone']})")
    cap = f", at most {found['catch_up_cap']}" if found["catch_up"] == "all" else ""
    length = str(timedelta(seconds=found["catch_up_window"] or 0)).removesuffix(", 0:00:00")
    window = f", of the last {length}" if found["catch_up_window"] else ""
    click.echo(f"Missed times: {found['catch_up']}{cap}{window}. Overlapping runs: {found['overlap']}.")
    if found["active"]:
        click.echo("Next: " + (", ".join(found["next_times"]) or "never again"))
    else:
        click.echo(f"It is off; `appliance schedule resume {found['id']}` switches it on.")
