"""`appliance maintenance`: hold back every run for a while."""

from __future__ import annotations

from datetime import timedelta

import click

from appliance.cli.connection import connect
from appliance.cli.durations import Duration
from appliance.cli.output import as_json, print_json
from appliance.kit import clock
from appliance.protocol.maintenance import MaintenanceView


@click.group()
def maintenance() -> None:
    """Hold back every run that has not started; what runs goes on."""


@maintenance.command(
    epilog="\b\nExamples:\n  appliance maintenance begin --reason 'new disks'"
    "\n  appliance maintenance begin --for 90m        ends by itself after an hour and a half"
)
@click.option("--reason", default="", help="Why; shown as the reason why runs wait.")
@click.option("--for", "length", type=Duration(), help="Ends by itself after 90m, 12h or 2d; without it you end it.")
@as_json
def begin(reason: str, length: timedelta | None, json_output: bool) -> None:
    """Begin maintenance, or change its reason and end. Needs an administrator's token."""
    from appliance.client import maintenance as client

    until = None if length is None else clock.now() + length
    _tell(client.begin(connect(), reason, until), json_output)


@maintenance.command()
@as_json
def end(json_output: bool) -> None:
    """Let runs start again. Needs an administrator's token."""
    from appliance.client import maintenance as client

    _tell(client.end(connect()), json_output)


@maintenance.command()
@as_json
def show(json_output: bool) -> None:
    """Tell whether the appliance is in maintenance."""
    from appliance.client import maintenance as client

    _tell(client.show(connect()), json_output)


def _tell(found: MaintenanceView, json_output: bool) -> None:
    if json_output:
        print_json(found)
    elif not found.active or found.since is None:
        click.echo("The appliance is not in maintenance; runs start when they are due.")
    else:
        why = f" ({found.reason})" if found.reason else ""
        end = f"until {found.until:%Y-%m-%d %H:%M:%S} UTC" if found.until else "until `appliance maintenance end`"
        click.echo(
            f"In maintenance since {found.since:%Y-%m-%d %H:%M:%S} UTC, by {found.by}{why}: no run starts {end}."
        )
