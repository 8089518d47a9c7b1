"""`appliance restart RUN`: runs again what did not succeed of a run that has ended."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.identifiers import RunId
from appliance.cli.output import as_json, print_run
from appliance.cli.values import Assignment
from appliance.protocol.verbs import VERBS


@click.command(help=VERBS["restart"].summary)
@click.argument("run_id", type=RunId(), metavar="RUN")
@click.option("--reason", default="", help="Why; kept in the run's history.")
@click.option("--newest-version", is_flag=True, help="Go on with the flow's newest version, as after mending its code.")
@click.option("--from-task", help="A task, by its slug, that runs again too, with all that comes after it.")
@click.option("-p", "--param", "parameters", multiple=True, type=Assignment(), help="Another value for a parameter.")
@click.option("--idempotency-key", help="The same key again restarts nothing more.")
@as_json
def restart(
    run_id: UUID,
    reason: str,
    newest_version: bool,
    from_task: str | None,
    parameters: tuple[tuple[str, Any], ...],
    idempotency_key: str | None,
    json_output: bool,
) -> None:
    from appliance.client import flow_runs

    run = flow_runs.restart(
        connect(),
        run_id,
        reason,
        newest_version=newest_version,
        from_task=from_task,
        parameters=dict(parameters),
        idempotency_key=idempotency_key,
    )
    print_run(run, json_output)
