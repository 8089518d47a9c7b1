"""`appliance delete RUN`: removes a run that has ended or waits for its time, with all that belongs to it."""

from __future__ import annotations

from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.identifiers import RunId


@click.command()
@click.argument("run_id", type=RunId(), metavar="RUN")
@click.option("--reason", default="", help="Why; kept in the record of what happened.")
def delete(run_id: UUID, reason: str) -> None:
    """Delete a run with its task runs, states and logs. A run that is live must be cancelled first."""
    from appliance.client import flow_runs

    flow_runs.delete(connect(), run_id, reason)
    click.echo("The run is deleted.")
