"""`appliance run FLOW`: creates a run on the server and, with --watch, follows it until it ends."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.identifiers import find_flow
from appliance.cli.options import key_option
from appliance.cli.output import as_json, echo, print_json
from appliance.cli.run_config_options import run_config_of, run_config_options
from appliance.cli.values import VALUES_HELP, Assignment, AwareTime, distinct
from appliance.protocol.flow_runs import CreateFlowRun

EPILOG = f"""\b
Examples:
  appliance run etl --project finance
  appliance run etl --project finance -p day='"2026-01-31"' -p pages=20 --watch
  appliance run etl --project finance --at 2026-01-31T06:00:00+01:00
  appliance run etl --project finance --env MODE=full --label big

{VALUES_HELP}

With --watch, the exit code is 0 if the run succeeds and 1 if it fails or is cancelled."""


@click.command(epilog=EPILOG)
@click.argument("flow")
@click.option("--project", help="The flow's project, if FLOW is a name that several projects have.")
@click.option(
    "-p", "--param", "parameters", multiple=True, type=Assignment(), callback=distinct, help="A parameter (repeatable)."
)
@click.option("--name", help="Name of the run [a readable random name].")
@click.option(
    "--label",
    "labels",
    multiple=True,
    help="A label that the agent must have (repeatable); replaces the flow's labels.",
)
@run_config_options
@click.option("--at", "scheduled_time", type=AwareTime(), help="When the run is due, in ISO 8601 [now].")
@key_option
@click.option("-w", "--watch", is_flag=True, help="Follow states and logs until the run ends.")
@as_json
def run(
    flow: str,
    project: str | None,
    parameters: tuple[tuple[str, Any], ...],
    name: str | None,
    labels: tuple[str, ...],
    run_config_file: Path | None,
    env: tuple[tuple[str, str], ...],
    scheduled_time: datetime | None,
    watch: bool,
    json_output: bool,
) -> int:
    """Create a run of FLOW, a name, project/flow, or id, on the server."""
    from appliance.cli.watch_run import follow, say_why_it_waits
    from appliance.client import flow_runs

    transport = connect()
    known = project is not None and "/" not in flow
    request = CreateFlowRun(
        flow_id=None if known else UUID(find_flow(transport, flow, project)["id"]),
        project=project if known else None,
        flow=flow if known else None,
        parameters=dict(parameters),
        name=name,
        labels=list(labels) or None,
        scheduled_time=scheduled_time,
        run_config=run_config_of(run_config_file, env) or None,
    )
    created = flow_runs.create(transport, request)
    if not json_output:
        echo(f"Run {created.name} of {created.project}/{created.flow}: {transport.url}/runs/{created.id}")
        for warning in created.warnings:
            echo(f"Warning: {warning}", err=True)
    if watch:
        final = follow(transport, created.id, quiet=json_output)
        if json_output:
            print_json(final)
        return 0 if final.state_type == "SUCCESS" else 1
    if json_output:
        print_json(created)
    elif not created.warnings:
        say_why_it_waits(transport, created.id)
    return 0
