"""`appliance run FLOW`: creates a run on the server and, when asked to, follows it to its end."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from appliance.cli.connection import connect
from appliance.cli.output import as_json, print_json
from appliance.cli.values import Assignment, AwareTime
from appliance.protocol.flow_runs import CreateFlowRun

EPILOG = """\b
Examples:
  appliance run etl --project finance
  appliance run etl --project finance -p day='"2026-01-31"' -p pages=20 --watch
  appliance run etl --project finance --at 2026-01-31T06:00:00+01:00

A value is JSON; text that is not JSON is taken as it is. With --watch the exit code is 0 for a run that succeeded and 1 for
one that failed or was cancelled."""


@click.command(epilog=EPILOG)
@click.argument("flow")
@click.option("--project", required=True, help="The flow's project.")
@click.option("-p", "--param", "parameters", multiple=True, type=Assignment(), help="A parameter; repeat it for more.")
@click.option("--name", help="A name for the run; without one it gets a readable one.")
@click.option("--label", "labels", multiple=True, help="A label that the agent must have, instead of the flow's own.")
@click.option(
    "--at", "scheduled_time", type=AwareTime(), help="When it is due, ISO 8601 with an offset; now without it."
)
@click.option("--idempotency-key", help="The same key again answers with the same run.")
@click.option("-w", "--watch", is_flag=True, help="Follow states and logs until the run has ended.")
@as_json
def run(
    flow: str,
    project: str,
    parameters: tuple[tuple[str, Any], ...],
    name: str | None,
    labels: tuple[str, ...],
    scheduled_time: datetime | None,
    idempotency_key: str | None,
    watch: bool,
    json_output: bool,
) -> int:
    """Create a run of FLOW on the server."""
    from appliance.cli.watch_run import follow
    from appliance.client import flow_runs

    request = CreateFlowRun(
        project=project,
        flow=flow,
        parameters=dict(parameters),
        name=name,
        labels=list(labels) or None,
        scheduled_time=scheduled_time,
        idempotency_key=idempotency_key,
    )
    transport = connect()
    created = flow_runs.create(transport, request)
    if not json_output:
        click.echo(f"Run {created.name} of {project}/{flow}: {transport.url}/runs/{created.id}")
    if watch:
        ended = follow(transport, created.id, quiet=json_output)
        if json_output:
            print_json(ended)
        return 0 if ended.state_type == "SUCCESS" else 1
    if json_output:
        print_json(created)
    return 0
