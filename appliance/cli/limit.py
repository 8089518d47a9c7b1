"""`appliance limit`: how much may run at a time of a flow, with a label, or of tasks with a tag."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.output import as_json, print_json, print_table

KINDS = {"flow": "flow", "label": "label", "task-tag": "task_tag"}


@click.group()
def limit() -> None:
    """Limit how much runs at a time."""


@limit.command(
    "set",
    epilog="\b\nExamples:\n  appliance limit set flow reports/daily 1      one run of this flow at a time"
    "\n  appliance limit set label warehouse 4         four runs with this label\n  appliance limit set task-tag database 10      ten tasks with this tag",
)
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.argument("name")
@click.argument("slots", type=click.IntRange(0, 100_000))
@as_json
def set_limit(kind: str, name: str, slots: int, json_output: bool) -> None:
    """Set a limit, or change one. With 0 slots nothing starts; what runs already goes on."""
    from appliance.client import concurrency

    found = concurrency.put(connect(), KINDS[kind], name, slots)
    if json_output:
        print_json(found)
    else:
        click.echo(f"At most {slots} at a time; {found['used']} now.")


@limit.command("list")
@as_json
def list_limits(json_output: bool) -> None:
    """List the limits with what holds their slots."""
    from appliance.client import concurrency

    found = concurrency.listed(connect())
    if json_output:
        print_json(found)
        return
    rows = ((one["kind"], one["name"], f"{one['used']}/{one['slots']}", _holders(one), one["id"]) for one in found)
    print_table(("KIND", "NAME", "USED", "HELD BY", "ID"), rows, "There is no limit.")


@limit.command()
@click.argument("limit_id", type=click.UUID, metavar="ID")
def remove(limit_id: UUID) -> None:
    """Remove a limit; what waited under it starts at once."""
    from appliance.client import concurrency

    concurrency.delete(connect(), limit_id)
    click.echo("The limit is removed.")


def _holders(one: dict[str, Any]) -> str:
    names = [held["flow_run"] for held in one["holders"]]
    return ", ".join(names[:3]) + (f" and {one['used'] - 3} more" if one["used"] > 3 else "")
