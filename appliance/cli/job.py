"""`appliance job`: what is being done to many runs."""

from __future__ import annotations

from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.output import as_json, print_json, print_table


@click.group()
def job() -> None:
    """List, show and cancel jobs: bulk actions and backfills."""


@job.command("list")
@click.option(
    "--state",
    type=click.Choice(["queued", "running", "done", "cancelled", "failed"]),
    help="Only jobs in this state.",
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many.")
@as_json
def list_jobs(state: str | None, limit: int, json_output: bool) -> None:
    """List jobs, newest first."""
    from appliance.client import jobs

    found = list(jobs.each(connect(), state=state, limit=limit))
    if json_output:
        print_json(found)
        return
    rows = ((one.state, one.kind, one.total, one.done, one.refused, one.created_by, one.id) for one in found)
    print_table(("STATE", "KIND", "TOTAL", "DONE", "REFUSED", "BY", "ID"), rows, "There is no job.")


@job.command()
@click.argument("job_id", type=click.UUID, metavar="ID")
@as_json
def show(job_id: UUID, json_output: bool) -> int:
    """Show a job with what was refused, and why."""
    from appliance.cli.watch_job import finish
    from appliance.client import jobs

    transport = connect()
    return finish(transport, jobs.get(transport, job_id), json_output, wait=False)


@job.command()
@click.argument("job_id", type=click.UUID, metavar="ID")
@click.option("--reason", default="", help="Why; kept with the job.")
@as_json
def cancel(job_id: UUID, reason: str, json_output: bool) -> int:
    """End a job; what it has done stays."""
    from appliance.cli.watch_job import finish
    from appliance.client import jobs

    transport = connect()
    return finish(transport, jobs.cancel(transport, job_id, reason), json_output, wait=False)
