"""`appliance result`: lists and deletes the results that the appliance itself keeps for runs."""

from __future__ import annotations

from uuid import UUID

import click

from appliance.cli.confirmation import confirm
from appliance.cli.connection import connect
from appliance.cli.options import key_option, limit_option, yes_option
from appliance.cli.output import as_json, echo, print_json, print_table
from appliance.cli.zone import zone_option

EPILOG = """\b
Examples:
  appliance result list --project finance
  appliance result list --project finance --prefix 2026/01/31/ --json
  appliance result delete 0198f0c2-8d3a-7c11-9d43-0a4f5e6b7c8d"""


@click.group(epilog=EPILOG)
def result() -> None:
    """List and delete the results that the appliance keeps for runs. Only administrators may."""


@result.command("list", epilog=EPILOG)
@click.option("--project", help="Only results of this project.")
@click.option("--prefix", help="Only results whose location begins with this; needs --project.")
@limit_option()
@zone_option
@as_json
def list_results(project: str | None, prefix: str | None, limit: int, json_output: bool) -> None:
    """List results, newest first, without their content: one line for each pack or file. Of those with no run, others of the project read them,
    too."""
    from appliance.client import results

    items = list(results.each(connect(), project, prefix=prefix, limit=limit))
    if json_output:
        print_json(items)
        return
    rows = (
        (
            one.project,
            one.location,
            f"{one.size:,}",
            f"sealed with {one.key_id or 'a key'}" if one.sealed else "",
            f"{one.flow}/{one.flow_run}" if one.flow_run else "",
            one.stored,
            one.expires or ("with its run" if one.flow_run_id else "never"),
            one.id,
        )
        for one in items
    )
    empty = "No results match." if project or prefix else "The appliance keeps no results."
    print_table(("PROJECT", "LOCATION", "BYTES", "", "RUN", "STORED", "EXPIRES", "ID"), rows, empty)


@result.command("delete", epilog=EPILOG)
@click.argument("result_id", type=click.UUID, metavar="ID")
@yes_option
@key_option
def delete(result_id: UUID, yes: bool) -> None:
    """Delete the result with this ID, as `appliance result list` shows it. Its tasks run again when a restart, a cache, or a target needs it."""
    from appliance.client import results

    transport = connect()
    confirm(yes, f"Tasks whose results are in it run again when these are needed. Delete result {result_id}?")
    results.remove(transport, result_id)
    echo(f"Result {result_id} is deleted.")
