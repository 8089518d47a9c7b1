"""`appliance disk`: how full the disk of the database is, and freeing space on it."""

from __future__ import annotations

from typing import Any

import click

from appliance.cli.connection import connect
from appliance.cli.output import as_json, print_json


@click.group()
def disk() -> None:
    """See how full the disk is, and free space on it."""


@disk.command()
@as_json
def show(json_output: bool) -> None:
    """Show how full the disk of the database is, and when it will be full."""
    from appliance.client import system

    found = system.disk(connect())
    if json_output:
        print_json(found)
    else:
        _tell(found)


@disk.command(epilog="\b\nExample:\n  appliance disk free --keep-days 7      nothing of the last week is deleted")
@click.option("--keep-days", type=click.FloatRange(0), default=1.0, show_default=True, help="What is younger stays.")
@as_json
def free(keep_days: float, json_output: bool) -> None:
    """Delete the oldest runs, logs and events until there is room again. Needs an administrator's token."""
    from appliance.client import system

    freed = system.free_space(connect(), keep_days)
    if json_output:
        print_json(freed)
        return
    deleted = ", ".join(f"{rows} {name}" for name, rows in freed["deleted"].items()) or "nothing"
    click.echo(f"Deleted {deleted}; {_megabytes(freed['freed_bytes'])} were given back to the disk.")
    _tell(freed["disk"])


def _tell(found: dict[str, Any]) -> None:
    click.echo(f"The database holds {_megabytes(found['database_bytes'])}.")
    if found["free_bytes"] is not None:
        click.echo(f"{_megabytes(found['free_bytes'])} of {_megabytes(found['total_bytes'])} are free on its disk.")
    if found["days_left"] is not None:
        click.echo(f"At this growth it is full in {found['days_left']:.0f} days.")
    if not found["writable"]:
        click.echo("Changes are refused until there is room: appliance disk free")
    for warning in found["warnings"]:
        click.echo(f"Warning: {warning}")


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MB"
