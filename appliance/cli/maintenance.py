"""`appliance maintenance`: holds every run that has not started, for a while."""

from __future__ import annotations

from datetime import timedelta

import click

from appliance.cli import zone
from appliance.cli.connection import connect
from appliance.cli.durations import Duration
from appliance.cli.options import key_option
from appliance.cli.output import as_json, echo, print_json
from appliance.protocol.maintenance import MaintenanceView

EPILOG = """\b
Examples:
  appliance maintenance begin --reason 'new disks'
  appliance maintenance begin --for 90m        ends automatically after an hour and a half
  appliance maintenance end"""


@click.group(epilog=EPILOG)
def maintenance() -> None:
    """Hold every run that has not started; active runs continue."""


@maintenance.command(epilog=EPILOG)
@click.option("--reason", default="", help="Reason to show for every run that waits.")
@click.option("--for", "length", type=Duration(), help="End automatically after this time, such as 90m, 12h, or 2d.")
@key_option
@as_json
def begin(reason: str, length: timedelta | None, json_output: bool) -> None:
    """Begin maintenance, or change its reason and end. Requires an administrator's token."""
    from appliance.client import maintenance as client

    _print(client.begin(connect(), reason, length=length), json_output)


@maintenance.command()
@key_option
@as_json
def end(json_output: bool) -> None:
    """End maintenance, so that runs start again. Requires an administrator's token."""
    from appliance.client import maintenance as client

    _print(client.end(connect()), json_output)


@maintenance.command()
@as_json
def show(json_output: bool) -> None:
    """Show whether the appliance is in maintenance."""
    from appliance.client import maintenance as client

    _print(client.show(connect()), json_output)


def _print(status: MaintenanceView, json_output: bool) -> None:
    if json_output:
        print_json(status)
    elif not status.active or status.since is None:
        echo("The appliance is not in maintenance; runs start when they are due.")
    else:
        why = f" ({status.reason})" if status.reason else ""
        end = f"until {zone.named(status.until)}" if status.until else "until you run `appliance maintenance end`"
        echo(f"In maintenance since {zone.named(status.since)}, begun by {status.by}{why}. No runs start {end}.")
