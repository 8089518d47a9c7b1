"""`appliance edit RUN`: another name, labels, priority or time for a run that has not started."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.identifiers import RunId
from appliance.cli.output import as_json, print_run
from appliance.cli.values import AwareTime
from appliance.protocol.verbs import VERBS


@click.command(help=VERBS["edit"].summary)
@click.argument("run_id", type=RunId(), metavar="RUN")
@click.option("--name", help="Another name.")
@click.option("--label", "labels", multiple=True, help="A label that the agent must have, instead of those it has now.")
@click.option("--no-labels", is_flag=True, help="Any agent may take it.")
@click.option("--priority", type=int, help="From -1000 to 1000; the highest goes first.")
@click.option("--at", "scheduled_time", type=AwareTime(), help="When it is due, ISO 8601 with an offset.")
@click.option("--reason", default="", help="Why; kept in the run's history.")
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
        raise click.UsageError("Give --label or --no-labels, not both.")
    chosen = [] if no_labels else list(labels) or None
    wanted = EditFlowRun(name=name, labels=chosen, priority=priority, scheduled_time=scheduled_time, reason=reason)
    print_run(flow_runs.edit(connect(), run_id, wanted), json_output)
