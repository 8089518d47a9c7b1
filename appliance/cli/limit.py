"""`appliance limit`: limits how many runs of a flow or with a label, or tasks with a tag, run at once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.options import key_option
from appliance.cli.output import as_json, print_json, print_table

KINDS = {"flow": "flow", "label": "label", "task-tag": "task_tag"}


EPILOG = """\b
Examples:
  appliance limit set flow reports/daily 1      one run of this flow at once
  appliance limit set label warehouse 4         four runs with this label
  appliance limit set task-tag database 10      ten tasks with this tag, across all runs"""


@click.group(epilog=EPILOG)
def limit() -> None:
    """Limit how many runs or tasks run at once."""


@limit.command("set", epilog=EPILOG)
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.argument("name")
@click.argument("slots", type=click.IntRange(0, 100_000))
@key_option
@as_json
def set_limit(kind: str, name: str, slots: int, json_output: bool) -> None:
    """Set or change a limit. With 0 slots nothing starts; active runs continue."""
    from appliance.client import concurrency

    saved = concurrency.put(connect(), KINDS[kind], name, slots)
    if json_output:
        print_json(saved)
    else:
        click.echo(f"Limit set to {slots} at once; {saved['used']} in use now.")


@limit.command("list")
@as_json
def list_limits(json_output: bool) -> None:
    """List the limits and what holds their slots."""
    from appliance.client import concurrency

    limits = concurrency.listed(connect())
    if json_output:
        print_json(limits)
        return
    rows = ((one["kind"], one["name"], f"{one['used']}/{one['slots']}", _holders(one), one["id"]) for one in limits)
    print_table(("KIND", "NAME", "USED", "HELD BY", "ID"), rows, "No limits exist; set one with `appliance limit set`.")


@limit.command()
@click.argument("limit_id", type=click.UUID, metavar="ID")
@key_option
def remove(limit_id: UUID) -> None:
    """Remove a limit. Work that waited for it starts at once."""
    from appliance.client import concurrency

    concurrency.delete(connect(), limit_id)
    click.echo("Limit removed.")


def _holders(one: dict[str, Any]) -> str:
    names = [holder["flow_run"] for holder in one["holders"]]
    return ", ".join(names[:3]) + (f" and {one['used'] - 3} more" if one["used"] > 3 else "")
