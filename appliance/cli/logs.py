"""`appliance logs RUN`: prints the log of a run, once or as it grows."""

from __future__ import annotations

from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.identifiers import RunId
from appliance.cli.output import as_json, print_json

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@click.command()
@click.argument("run_id", type=RunId(), metavar="RUN")
@click.option("--level", type=click.Choice(LEVELS, case_sensitive=False), help="Only lines of this level or higher.")
@click.option("-f", "--follow", "follow_run", is_flag=True, help="Keep printing new lines until the run ends.")
@as_json
def logs(run_id: UUID, level: str | None, follow_run: bool, json_output: bool) -> None:
    """Print the log of a run, oldest line first."""
    from appliance.cli import watch_run as watch
    from appliance.client import flow_runs

    transport = connect()
    if follow_run:
        watch.follow(transport, run_id)
        return
    lines = flow_runs.logs(transport, run_id, level=level)
    if json_output:
        print_json(list(lines))
        return
    for line in lines:
        click.echo(watch.log_line(line))
