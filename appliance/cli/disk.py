"""`appliance disk`: shows how full the database's disk is, and frees space on it."""

from __future__ import annotations

from typing import Any

import click

from appliance.cli.connection import connect
from appliance.cli.options import key_option
from appliance.cli.output import as_json, echo, print_json, size_text
from appliance.kit.plurals import counted


@click.group(epilog="\b\nExamples:\n  appliance disk show\n  appliance disk free --keep-days 7")
def disk() -> None:
    """Show how full the database's disk is, and free space on it."""


@disk.command()
@as_json
def show(json_output: bool) -> None:
    """Show how full the database's disk is, and when it will be full."""
    from appliance.client import system

    usage = system.disk(connect())
    if json_output:
        print_json(usage)
    else:
        _print(usage)


@disk.command(epilog="\b\nExample:\n  appliance disk free --keep-days 7      keeps everything from the last week")
@click.option(
    "--keep-days",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="Keep everything younger than this many days.",
)
@key_option
@as_json
def free(keep_days: float, json_output: bool) -> None:
    """Delete the oldest runs, logs, and events until there is enough space. Requires an administrator's token."""
    from appliance.client import system

    freed = system.free_space(connect(), keep_days)
    if json_output:
        print_json(freed)
        return
    deleted = ", ".join(f"{rows} {name}" for name, rows in freed["deleted"].items()) or "nothing"
    echo(f"Deleted {deleted}; freed {size_text(freed['freed_bytes'])} on the disk.")
    _print(freed["disk"])


def _print(usage: dict[str, Any]) -> None:
    echo(f"The database takes up {size_text(usage['database_bytes'])}.")
    if usage.get("results"):
        echo(f"{counted(usage['results'], 'result')} of runs take up {size_text(usage['results_bytes'])} of that.")
    if usage["free_bytes"] is not None:
        echo(f"{size_text(usage['free_bytes'])} of {size_text(usage['total_bytes'])} are free on its disk.")
    if usage["days_left"] is not None:
        echo(f"At the current growth rate it will be full in {counted(round(usage['days_left']), 'day')}.")
    if not usage["writable"]:
        echo("Changes are rejected until there is enough space; run `appliance disk free`.")
    for warning in usage["warnings"]:
        echo(f"Warning: {warning}")
