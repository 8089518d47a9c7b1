"""`appliance logs RUN`: prints the log of a run, once or as it grows. `appliance logs --search TEXT`: finds lines of all runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any, get_args
from uuid import UUID

import click
from click.core import ParameterSource

from appliance.cli.connection import connect
from appliance.cli.identifiers import RunId, id_in
from appliance.cli.options import limit_option
from appliance.cli.output import as_json, echo, print_json
from appliance.cli.values import Moment
from appliance.cli.zone import zone_option
from appliance.protocol.logs import Stream

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

EPILOG = """\b
Examples:
  appliance logs amber-otter --level warning
  appliance logs ID --stream stderr --json
  appliance logs --search "connection refused" --flow finance/etl --since 7d
  appliance logs --search "time" --level error --limit 200

A search finds the lines that have all words, in any order. The last word may be the beginning of one: "time" also finds
timeout, and "time " doesn't."""


@click.command(epilog=EPILOG)
@click.argument("run_id", type=RunId(), metavar="[RUN]", required=False)
@click.option("--level", type=click.Choice(LEVELS, case_sensitive=False), help="Only lines of this level or higher.")
@click.option("--stream", type=click.Choice(get_args(Stream)), help="Only lines that code wrote to this stream.")
@click.option("-f", "--follow", "follow_run", is_flag=True, help="Keep printing new lines until the run ends.")
@click.option("--search", "text", metavar="TEXT", help="Instead of RUN: find lines of all runs that have these words.")
@click.option("--flow", help="With --search: only lines of this flow: its name, project/flow, or id.")
@click.option("--project", help="With --search: only lines of this project.")
@click.option(
    "--since", type=Moment(), help="With --search: only lines written at or after this time, or in the last 7d."
)
@click.option(
    "--until", type=Moment(), help="With --search: only lines written before this time, or longer ago than 1h."
)
@limit_option(50)
@zone_option
@as_json
def logs(run_id: UUID | None, text: str | None, json_output: bool, **options: Any) -> None:
    """Print the log of RUN, an id or a name, oldest line first; or find lines of all runs, newest first."""
    if (run_id is None) == (text is None):
        raise click.UsageError("Name a run, or find lines of all runs with --search.")
    if run_id is not None:
        _refuse("--search", "flow", "project", "since", "until", "limit")
        _print_log(run_id, options["level"], options["stream"], options["follow_run"], json_output)
    elif text is not None:
        _refuse("a run", "stream", "follow_run")
        _search(text, json_output, **options)


def _refuse(other: str, *names: str) -> None:
    """Raise UsageError if one of these options is given, which go with something else."""
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"The option --{name.removesuffix('_run')} goes with {other}.")


def _print_log(run_id: UUID, level: str | None, stream: Stream | None, follow_run: bool, json_output: bool) -> None:
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


def _search(
    text: str,
    json_output: bool,
    level: str | None,
    flow: str | None,
    project: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    **_of_one_run: Any,
) -> None:
    from appliance.cli import watch_run as watch
    from appliance.client import logs as client
    from appliance.protocol.logs import INCOMPLETE, FoundLine

    flow_id = None if flow is None else id_in(flow)
    pages = client.search(
        connect(),
        text,
        flow_id=flow_id,
        flow=flow if flow_id is None else None,
        project=project,
        level=level,
        since=since,
        until=until,
        limit=limit,
    )
    lines, complete = list[FoundLine](), True
    for page in pages:
        complete = complete and page.complete
        if page.items and not lines and not json_output:
            watch.say_zone()
        lines += page.items
        for line in () if json_output else page.items:
            echo(watch.found_line(line))
    if json_output:
        print_json(lines)
    elif not lines:
        echo("No lines match.", err=True)
    if not complete:
        echo(INCOMPLETE, err=True)
