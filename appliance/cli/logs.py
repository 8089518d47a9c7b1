"""`appliance logs RUN`: prints the log of a run, once or as it grows."""

from __future__ import annotations

from typing import get_args
from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.identifiers import RunId
from appliance.cli.output import as_json, echo, print_json
from appliance.cli.zone import zone_option
from appliance.protocol.logs import Stream

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@click.command(
    epilog="\b\nExamples:\n  appliance logs amber-otter --level warning\n  appliance logs ID --stream stderr --json"
)
@click.argument("run_id", type=RunId(), metavar="RUN")
@click.option("--level", type=click.Choice(LEVELS, case_sensitive=False), help="Only lines of this level or higher.")
@click.option("--stream", type=click.Choice(get_args(Stream)), help="Only lines that code wrote to this stream.")
@click.option("-f", "--follow", "follow_run", is_flag=True, help="Keep printing new lines until the run ends.")
@zone_option
@as_json
def logs(run_id: UUID, level: str | None, stream: Stream | None, follow_run: bool, json_output: bool) -> None:
    """Print the log of RUN, an id or a name, oldest line first."""
    from appliance.cli import watch_run as watch
    from appliance.client import flow_runs

    if follow_run and json_output:
        raise click.UsageError("--json prints the lines that are there; leave out --follow.")
    transport = connect()
    if follow_run:
        watch.follow(transport, run_id, level=level, stream=stream)
        return
    lines = flow_runs.logs(transport, run_id, level=level, stream=stream)
    if json_output:
        print_json(list(lines))
        return
    for number, line in enumerate(lines):
        if number == 0:
            watch.say_zone()
        echo(watch.log_line(line))
