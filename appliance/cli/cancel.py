"""`appliance cancel RUN`: cancels a run; its agent makes sure that the process ends."""

from __future__ import annotations

from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.identifiers import RunId
from appliance.cli.options import key_option, reason_option
from appliance.cli.output import as_json, print_run
from appliance.protocol.verbs import VERBS


@click.command(help=VERBS["cancel"].summary)
@click.argument("run_id", type=RunId(), metavar="RUN")
@reason_option("in the run's history")
@key_option
@as_json
def cancel(run_id: UUID, reason: str, json_output: bool) -> None:
    from appliance.client import flow_runs

    print_run(flow_runs.cancel(connect(), run_id, reason), json_output)
