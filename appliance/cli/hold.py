"""`appliance hold`: shows, releases, or skips overdue runs that are held after an outage."""

from __future__ import annotations

import click

from appliance.cli import zone
from appliance.cli.connection import connect
from appliance.cli.options import key_option, reason_option, wait_option
from appliance.cli.output import as_json, echo, print_json
from appliance.kit.plurals import counted


@click.group(
    epilog="\b\nExamples:\n  appliance hold show\n  appliance hold release --reason 'the backlog can run overnight'"
    "\n  appliance hold skip --reason 'only the latest data matters'"
)
def hold() -> None:
    """Show, release, or skip overdue runs held after an outage."""


@hold.command()
@as_json
def show(json_output: bool) -> None:
    """Show whether runs are held."""
    from appliance.client import jobs

    status = jobs.hold(connect())
    if json_output:
        print_json(status)
    elif not status.held or status.before is None:
        echo("No runs are held.")
    else:
        echo(
            f"{counted(status.runs, 'run')}, due by {zone.named(status.before)}, {'is' if status.runs == 1 else 'are'} held;"
            " release with `appliance hold release` or skip with `appliance hold skip`."
        )


@hold.command()
@reason_option("in the audit log")
@key_option
def release(reason: str) -> None:
    """Release the held runs to agents."""
    from appliance.client import jobs

    jobs.release_hold(connect(), reason)
    echo("No runs are held any more.")


@hold.command()
@reason_option("in the history of each run")
@wait_option
@key_option
@as_json
def skip(reason: str, wait: bool, json_output: bool) -> int:
    """Mark all held runs as Skipped."""
    from appliance.cli.watch_job import finish
    from appliance.client import jobs

    transport = connect()
    return finish(transport, jobs.skip_held(transport, reason), json_output, wait)
