"""`appliance edit RUN`: changes the name, labels, priority, or time of a run that has not started."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.identifiers import RunId
from appliance.cli.options import key_option, reason_option
from appliance.cli.output import as_json, print_run
from appliance.cli.values import AwareTime
from appliance.protocol.verbs import VERBS


@click.command(
    help=VERBS["edit"].summary,
    epilog="\b\nExamples:\n  appliance edit RUN --priority 10\n  appliance edit RUN --at 2026-01-31T06:00:00+01:00 --label gpu",
)
@click.argument("run_id", type=RunId(), metavar="RUN")
@click.option("--name", help="New name.")
@click.option(
    "--label", "labels", multiple=True, help="Label that the agent must have (repeatable); replaces the current labels."
)
@click.option("--no-labels", is_flag=True, help="Remove all labels, so that any agent qualifies.")
@click.option("--priority", type=int, help="New priority, from -1000 to 1000; higher starts first.")
@click.option("--at", "scheduled_time", type=AwareTime(), help="New due time, in ISO 8601.")
@reason_option("in the run's history")
@key_option
@as_json
def edit(
    run_id: UUID,
    name: str | None,
    labels: tuple[str, ...],
    no_labels: bool,
    priority: int | None,
    scheduled_time: datetime | None,
    reason: str,
    json_output: bool,
) -> None:
    from appliance.client import flow_runs
    from appliance.protocol.flow_runs import EditFlowRun

    if labels and no_labels:
        raise click.UsageError("Specify --label or --no-labels, but not both.")
    new_labels = [] if no_labels else list(labels) or None
    request = EditFlowRun(name=name, labels=new_labels, priority=priority, scheduled_time=scheduled_time, reason=reason)
    print_run(flow_runs.edit(connect(), run_id, request), json_output)
