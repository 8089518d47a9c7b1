"""`appliance limit`: limits how many runs of a flow or with a label, or tasks with a tag, run at once, how many tasks start in a period, and how long runs may take."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.durations import Duration, Period
from appliance.cli.identifiers import LimitId, find_flow
from appliance.cli.options import key_option
from appliance.cli.output import as_json, echo, print_json, print_table

KINDS = {"flow": "flow", "label": "label", "task-tag": "task_tag", "task-rate": "task_rate"}


EPILOG = """\b
Examples:
  appliance limit set flow reports/daily 1      one run of this flow at once
  appliance limit set label warehouse 4         four runs with this label
  appliance limit set task-tag database 10      ten tasks with this tag, across all runs
  appliance limit set task-rate api 60 --per 1m at most 60 starts of tasks with this tag in any minute
  appliance limit timeout reports/daily 2h      a run of this flow that takes longer ends as TimedOut"""


class RunTimeout(click.ParamType[Any]):
    """A duration, `none` or `code`; a tuple of one, since click takes None for a missing value."""

    name = "run timeout"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float | None]:
        if value in ("none", "code"):
            return (0.0 if value == "none" else None,)
        return (Duration().convert(value, param, ctx).total_seconds(),)


@click.group(epilog=EPILOG)
def limit() -> None:
    """Limit how many runs or tasks run at once, how often tasks start, and how long runs may take."""


@limit.command("set", epilog=EPILOG)
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.argument("name")
@click.argument("slots", type=click.IntRange(0, 100_000))
@click.option("--per", type=Period(), metavar="PERIOD", help="The period of a task-rate, such as 10s, 1m or 1h.")
@key_option
@as_json
def set_limit(kind: str, name: str, slots: int, per: timedelta | None, json_output: bool) -> None:
    """Set or change a limit. With 0 slots nothing starts; active runs continue."""
    from appliance.client import concurrency

    if (kind == "task-rate") != (per is not None):
        missing = "A task-rate needs a period: add --per, such as --per 1m."
        raise click.UsageError(missing if per is None else "Only a task-rate has a period; omit --per.")
    transport = connect()
    if KINDS[kind] == "flow":
        flow = find_flow(transport, name)
        name = f"{flow['project']}/{flow['name']}"
    saved = concurrency.put(transport, KINDS[kind], name, slots, per.total_seconds() if per else None)
    if json_output:
        print_json(saved)
    elif per:
        echo(f"Limit set to {slots} starts in any {per.total_seconds():g} s; {saved['used']} within the last.")
    else:
        echo(f"Limit set to {slots} at once; {saved['used']} in use now.")


@limit.command("list")
@as_json
def list_limits(json_output: bool) -> None:
    """List the limits, and what holds their slots or has started last."""
    from appliance.client import concurrency

    limits = concurrency.listed(connect())
    if json_output:
        print_json(limits)
        return
    rows = ((one["kind"], one["name"], _use(one), _holders(one), one["id"]) for one in limits)
    print_table(("KIND", "NAME", "USED", "HELD BY", "ID"), rows, "No limits exist; set one with `appliance limit set`.")


@limit.command()
@click.argument("limit_id", type=LimitId(), metavar="LIMIT")
@key_option
def remove(limit_id: UUID) -> None:
    """Remove LIMIT, an id or the name of what it limits. Work that waited for it starts at once."""
    from appliance.client import concurrency

    concurrency.delete(connect(), limit_id)
    echo("Limit removed.")


@limit.command(epilog=EPILOG)
@click.argument("flow", metavar="FLOW")
@click.argument("duration", type=RunTimeout(), metavar="DURATION|none|code")
@key_option
@as_json
def timeout(flow: str, duration: tuple[float | None], json_output: bool) -> None:
    """Set how long a run of a flow may take, such as 90m or 12h. This also applies to active runs. With `none`, runs may take as
    long as they need; with `code`, the flow's code decides, or else the site's setting. FLOW is a flow's name, project/name, or id."""
    from appliance.client import flows

    transport = connect()
    saved = flows.set_run_timeout(transport, UUID(find_flow(transport, flow)["id"]), duration[0])
    if json_output:
        print_json(saved)
    elif saved["run_timeout"] is None:
        echo(f"Runs of {flow} may take as long as they need.")
    else:
        echo(f"Runs of {flow} that take longer than {saved['run_timeout']:g} s are stopped and end as TimedOut.")


def _use(one: dict[str, Any]) -> str:
    per = one.get("per")  # an older server has none
    return f"{one['used']}/{one['slots']}" + (f" per {per:g} s" if per else "")


def _holders(one: dict[str, Any]) -> str:
    return ", ".join(map(_holder, one["holders"][:3])) + (f" and {one['used'] - 3} more" if one["used"] > 3 else "")


def _holder(holder: dict[str, Any]) -> str:
    """The run, under a limit of tasks with its task."""
    task = f"/{holder['task_slug']}" if holder["task_slug"] else ""
    return f"{holder['flow_run']}{task}" + (f"[{holder['map_index']}]" if holder["map_index"] >= 0 else "")
