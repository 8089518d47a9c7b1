"""`appliance backfill`: creates missing runs for past due times."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import click

from appliance.cli import zone
from appliance.cli.confirmation import confirm
from appliance.cli.connection import connect
from appliance.cli.due_times import DueTimes, document_of, due_time_options
from appliance.cli.identifiers import ScheduleId, find_flow
from appliance.cli.options import key_option, parameter_option, reason_option, wait_option, yes_option
from appliance.cli.output import as_json, echo, print_json
from appliance.cli.values import AwareTime
from appliance.kit.plurals import counted

EPILOG = """\b
Examples:
  appliance backfill --schedule finance/etl --start 2026-01-01T00:00:00Z --end 2026-02-01T00:00:00Z --preview
  appliance backfill --project finance --flow etl --cron '0 6 * * *' --start 2026-01-01T00:00:00Z --end 2026-02-01T00:00:00Z --at-once 3"""


@click.command(epilog=EPILOG)
@click.option(
    "--schedule", "schedule_id", type=ScheduleId(), help="The schedule: its id, or its flow if that has only one."
)
@click.option("--flow", help="A flow to backfill with --cron, --every, or --date instead of a schedule.")
@click.option("--project", help="The flow's project.")
@due_time_options
@click.option("--start", type=AwareTime(), required=True, help="Start of the period, in ISO 8601.")
@click.option("--end", type=AwareTime(), required=True, help="End of the period (exclusive), in ISO 8601.")
@parameter_option("A parameter of the runs")
@click.option(
    "--priority",
    type=int,
    default=0,
    show_default=True,
    help="Priority of the runs, from -1000 to 1000; higher starts first.",
)
@click.option(
    "--at-once", type=click.IntRange(1, 1000), default=10, show_default=True, help="Maximum number of unfinished runs."
)
@click.option("--per-minute", type=click.IntRange(1, 10_000), help="Maximum number of runs to create per minute.")
@reason_option("with the job")
@click.option("--preview", is_flag=True, help="Only show what would be created.")
@yes_option
@wait_option
@key_option
@as_json
def backfill(
    schedule_id: UUID | None,
    flow: str | None,
    project: str | None,
    times: DueTimes,
    start: datetime,
    end: datetime,
    **options: Any,
) -> int:
    """Create missing runs for past due times. A due time that has a run never gets another."""
    from appliance.cli.watch_job import finish
    from appliance.client import jobs
    from appliance.protocol.backfills import Backfill, BackfillRange

    transport = connect()
    where: dict[str, Any] = {"schedule_id": schedule_id, "start": start, "end": end}
    if schedule_id is None:
        if flow is None:
            raise click.UsageError("Specify --schedule or --flow.")
        document = document_of(times)
        where |= {"flow_id": UUID(find_flow(transport, flow, project)["id"]), "document": document}
    elif any(option is not None for option in (flow, times.kind, times.day_and)):
        raise click.UsageError("Specify --schedule, or --flow with --cron, --every, or --date, but not both.")
    json_output = options.pop("json_output")
    preview, yes, wait = options.pop("preview"), options.pop("yes"), options.pop("wait")
    if preview or not yes:
        plan = jobs.preview(transport, BackfillRange(**where))
        if preview and json_output:
            print_json(plan)
            return 0
        span = (
            f", from {zone.text(plan.first)} to {zone.named(plan.last)}"
            if plan.first is not None and plan.last is not None
            else ""
        )
        echo(f"{counted(plan.count, 'due time')}{span}, of which {plan.existing} already have a run.", err=not preview)
        if preview:
            return 0
        confirm(yes, f"Create {counted(plan.count - plan.existing, 'run')}?")
    options["parameters"] = dict(options["parameters"])
    job = jobs.backfill(transport, Backfill(**where, **options))
    return finish(transport, job, json_output, wait)
