"""`appliance delete RUN`: deletes a run that has ended or has not started, with everything that belongs to it."""

from __future__ import annotations

from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.identifiers import RunId
from appliance.cli.options import key_option, reason_option
from appliance.cli.output import echo
from appliance.protocol.verbs import VERBS


@click.command(help=VERBS["delete"].summary)
@click.argument("run_id", type=RunId(), metavar="RUN")
@reason_option("in the audit log")
@key_option
def delete(run_id: UUID, reason: str) -> None:
    from appliance.client import flow_runs

    flow_runs.delete(connect(), run_id, reason)
    echo("Run deleted.")
