"""`appliance delete RUN`: removes a run that has ended or waits for its time, with all that belongs to it."""

from __future__ import annotations

from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.identifiers import RunId
from appliance.protocol.verbs import VERBS


@click.command(help=VERBS["delete"].summary)
@click.argument("run_id", type=RunId(), metavar="RUN")
@click.option("--reason", default="", help="Why; kept in the record of what happened.")
def delete(run_id: UUID, reason: str) -> None:
    from appliance.client import flow_runs

    flow_runs.delete(connect(), run_id, reason)
    click.echo("The run is deleted.")
