"""`appliance job`: lists, shows, and cancels jobs, which change many runs."""

from __future__ import annotations

from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.options import key_option, limit_option, reason_option
from appliance.cli.output import as_json, print_json, print_table


@click.group(
    epilog="\b\nExamples:\n  appliance job list --state running\n  appliance job show ID"
    "\n  appliance job cancel ID --reason 'wrong period'"
)
def job() -> None:
    """List, show, and cancel jobs: bulk actions and backfills."""


@job.command("list")
@click.option(
    "--state",
    type=click.Choice(["queued", "running", "done", "cancelled", "failed"]),
    help="Only jobs in this state.",
)
@limit_option()
@as_json
def list_jobs(state: str | None, limit: int, json_output: bool) -> None:
    """List jobs, newest first."""
    from appliance.client import jobs

    items = list(jobs.each(connect(), state=state, limit=limit))
    if json_output:
        print_json(items)
        return
    rows = ((job.state, job.kind, job.total, job.done, job.refused, job.created_by, job.id) for job in items)
    print_table(("STATE", "KIND", "TOTAL", "DONE", "REFUSED", "BY", "ID"), rows, "No jobs match.")


@job.command()
@click.argument("job_id", type=click.UUID, metavar="ID")
@as_json
def show(job_id: UUID, json_output: bool) -> int:
    """Show a job with its refusals and the reasons."""
    from appliance.cli.watch_job import finish
    from appliance.client import jobs

    transport = connect()
    return finish(transport, jobs.get(transport, job_id), json_output, wait=False)


@job.command()
@click.argument("job_id", type=click.UUID, metavar="ID")
@reason_option("with the job")
@key_option
@as_json
def cancel(job_id: UUID, reason: str, json_output: bool) -> int:
    """Cancel a job. Changes that it has already made are kept."""
    from appliance.cli.watch_job import finish
    from appliance.client import jobs

    transport = connect()
    return finish(transport, jobs.cancel(transport, job_id, reason), json_output, wait=False)
