"""`appliance backfill`: the runs that due times of the past lack."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.due_times import document_of, due_time_options, flow_named
from appliance.cli.output import as_json, print_json
from appliance.cli.values import Assignment, AwareTime

EPILOG = """\b
Examples:
  appliance backfill --schedule ID --start 2026-01-01T00:00:00Z --end 2026-02-01T00:00:00Z --preview
  appliance backfill --project finance --flow etl --cron '0 6 * * *' --start 2026-01-01T00:00:00Z --end 2026-02-01T00:00:00Z --at-once 3"""


@click.command(epilog=EPILOG)
@click.option("--schedule", "schedule_id", type=click.UUID, help="The schedule, by its id.")
@click.option("--flow", help="A flow, for due times of a schedule that is only given here.")
@click.option("--project", help="The flow's project.")
@due_time_options
@click.option("--start", type=AwareTime(), required=True, help="The first due time that may count, with an offset.")
@click.option("--end", type=AwareTime(), required=True, help="Due times before this one count.")
@click.option("-p", "--param", "parameters", multiple=True, type=Assignment(), help="A parameter of the runs.")
@click.option("--priority", type=int, default=0, show_default=True, help="Of the runs, from -1000 to 1000.")
@click.option(
    "--at-once", type=click.IntRange(1, 1000), default=10, show_default=True, help="At most so many not ended."
)
@click.option("--per-minute", type=click.IntRange(1, 10_000), help="At most so many created in a minute.")
@click.option("--reason", default="", help="Why; kept with the job.")
@click.option("--preview", is_flag=True, help="Only tell what it would do.")
@click.option("--yes", is_flag=True, help="Don't ask first.")
@click.option("--wait/--no-wait", default=True, help="Follow the job until all runs are created.")
@as_json
def backfill(
    schedule_id: UUID | None,
    flow: str | None,
    project: str | None,
    cron: str | None,
    every: float | None,
    timezone: str | None,
    start: datetime,
    end: datetime,
    **options: Any,
) -> int:
    """Create the runs that due times of the past lack. A due time that has a run never gets another."""
    from appliance.cli.watch_job import finish
    from appliance.client import jobs
    from appliance.protocol.backfills import Backfill, BackfillRange

    transport = connect()
    where: dict[str, Any] = {"schedule_id": schedule_id, "start": start, "end": end}
    if schedule_id is None:
        if project is None or flow is None:
            raise click.UsageError("Name a --schedule, or a --flow and its --project.")
        document = document_of(cron, every, timezone)
        where |= {"flow_id": flow_named(transport, project, flow), "document": document}
    elif flow is not None or cron is not None or every is not None:
        raise click.UsageError("Give --schedule, or --flow with --cron or --every, not both.")
    json_output = options.pop("json_output")
    preview, yes, wait = options.pop("preview"), options.pop("yes"), options.pop("wait")
    if preview or not yes:
        found = jobs.preview(transport, BackfillRange(**where))
        if preview and json_output:
            print_json(found)
            return 0
        span = f", from {found.first} to {found.last}" if found.first is not None else ""
        click.echo(f"{found.count} due times{span}; {found.existing} of them have a run already.", err=not preview)
        if preview:
            return 0
        click.confirm(f"Create {found.count - found.existing} runs?", abort=True, err=True)
    options["parameters"] = dict(options["parameters"])
    job = jobs.backfill(transport, Backfill(**where, **options))
    return finish(transport, job, json_output, wait)
