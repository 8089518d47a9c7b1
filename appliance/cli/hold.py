"""`appliance hold`: overdue runs that are held after an outage."""

from __future__ import annotations

import click

from appliance.cli.connection import connect
from appliance.cli.output import as_json, print_json


@click.group()
def hold() -> None:
    """See, release or skip the overdue runs that are held after an outage."""


@hold.command()
@as_json
def show(json_output: bool) -> None:
    """Tell whether runs are held."""
    from appliance.client import jobs

    found = jobs.hold(connect())
    if json_output:
        print_json(found)
    elif not found.held or found.before is None:
        click.echo("Nothing is held.")
    else:
        click.echo(
            f"{found.runs} runs that were due by {found.before:%Y-%m-%d %H:%M:%S} UTC are held;"
            " `appliance hold release` lets them go, `appliance hold skip` skips them."
        )


@hold.command()
@click.option("--reason", default="", help="Why; kept in the record of what happened.")
def release(reason: str) -> None:
    """Let the held runs be handed out."""
    from appliance.client import jobs

    jobs.release_hold(connect(), reason)
    click.echo("Nothing is held any more.")


@hold.command()
@click.option("--reason", default="", help="Why; kept in the runs' histories.")
@click.option("--wait/--no-wait", default=True, help="Follow the job until it is over.")
@as_json
def skip(reason: str, wait: bool, json_output: bool) -> int:
    """Mark all held runs as Skipped."""
    from appliance.cli.watch_job import finish
    from appliance.client import jobs

    transport = connect()
    return finish(transport, jobs.skip_held(transport, reason), json_output, wait)
