"""`appliance get NOUN`: lists what is on the server, as a table or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from appliance.cli import zone
from appliance.cli.connection import connect
from appliance.cli.identifiers import FlowId, RunId, find_view
from appliance.cli.options import limit_option
from appliance.cli.output import as_json, echo, print_json, print_table, size_text
from appliance.cli.run_selection import filter_of, run_conditions
from appliance.cli.zone import zone_option
from appliance.protocol.run_filter import LIST_ORDERS, NEWEST_FIRST, ListOrder

if TYPE_CHECKING:
    from appliance.protocol.task_runs import TaskGroupView

EPILOG = """\b
Examples:
  appliance get flow-runs --project finance --state Failed --since 7d
  appliance get flow-runs --flow finance/etl -p region=eu --longer-than 10m --sort -end_time
  appliance get flow-runs --query "state:failed,late flow:etl-* since:7d"
  appliance get flow-runs --view 'failed today'
  appliance get flow-runs --parent amber-otter
  appliance get task-runs amber-otter --state FAILED
  appliance get task-runs amber-otter --groups
  appliance get schedules --json"""


@click.group(epilog=EPILOG)
def get() -> None:
    """List flow runs, flows, task runs, schedules, or agents."""


@get.command("flow-runs", epilog=EPILOG)
@run_conditions()
@click.option(
    "--view",
    help="Only runs of this saved view, in its order.",
)
@click.option(
    "--sort",
    type=click.Choice(LIST_ORDERS),
    help=f"Sort by a time, with a minus for newest first [{NEWEST_FIRST}]; runs without this time are not listed. `waiting`: late runs, paused ones, and the next ones.",
)
@limit_option()
@zone_option
@as_json
def get_flow_runs(view: str | None, sort: ListOrder | None, limit: int, json_output: bool, **conditions: Any) -> None:
    """List flow runs with what they have used, and the reason why they wait or how they ended."""
    from appliance.client import flow_runs

    transport = connect()
    if view is not None:
        if conditions["q"] is not None:
            raise click.UsageError("A view has a query already; give either --view or --query.")
        saved = find_view(transport, view)
        conditions["q"], sort = saved.q or None, sort or saved.sort
    runs = list(flow_runs.each(transport, filter_of(conditions), sort=sort or NEWEST_FIRST, limit=limit))
    if json_output:
        print_json(runs)
        return
    with_parents = any(run.parent_flow_run_id for run in runs)
    print_table(
        (
            "STATE",
            "FLOW",
            "RUN",
            *(("PARENT",) if with_parents else ()),
            "STARTED",
            "ENDED",
            "CPU",
            "MEMORY",
            "ID",
            "WHY",
        ),
        (
            (
                r.state,
                f"{r.project}/{r.flow}",
                r.name,
                *((r.parent_flow_run or r.parent_flow_run_id or "",) if with_parents else ()),
                r.start_time,
                r.end_time,
                "" if r.cpu_seconds is None else f"{r.cpu_seconds:,.1f} s",
                "" if r.peak_memory is None else size_text(r.peak_memory),
                r.id,
                _short(zone.in_zone(r.wait_reason) if r.wait_reason else r.state_message),
            )
            for r in runs
        ),
        "No runs match.",
    )


@get.command(
    "flows", epilog="\b\nExamples:\n  appliance get flows --project finance\n  appliance get flows --archived --json"
)
@click.option("--project", help="Only flows of this project.")
@click.option("--text", help="Only flows whose name contains this text.")
@click.option("--archived", is_flag=True, help="List the flows in the archive instead.")
@limit_option()
@as_json
def get_flows(project: str | None, text: str | None, archived: bool, limit: int, json_output: bool) -> None:
    """List flows by name."""
    from appliance.client import flows

    page = list(flows.each(connect(), project=project, name=text, archived=archived, limit=limit))
    if json_output:
        print_json(page)
        return
    rows = (
        (f["project"], f["name"], f.get("version"), f.get("owner"), f["id"], "paused" if f.get("paused") else "")
        for f in page
    )
    empty = (
        "No flows are in the archive."
        if archived
        else "No flows are registered; register some with `appliance register`."
    )
    print_table(
        ("PROJECT", "FLOW", "VERSION", "OWNER", "ID", ""), rows, "No flows match." if project or text else empty
    )


@get.command("versions")
@click.option("--flow", "flow_id", type=FlowId(), required=True, help="The flow: its name, project/flow, or id.")
@limit_option(maximum=200)
@as_json
def get_versions(flow_id: UUID, limit: int, json_output: bool) -> None:
    """List the versions of a flow, newest first, with what changed."""
    from appliance.client import flows

    items = flows.versions(connect(), flow_id, limit)
    if json_output:
        print_json(items)
        return
    rows = (
        (v["number"], v["restores"], zone.local(v["created"]), v["created_by"], "; ".join(v["changes"])) for v in items
    )
    print_table(("VERSION", "RESTORES", "REGISTERED", "BY", "CHANGES"), rows, "The flow has no versions.")


@get.command("task-runs", epilog=EPILOG)
@click.argument("run_id", type=RunId(), metavar="RUN")
@click.option("--state", "states", multiple=True, help="Only those in this state, by name or type (repeatable).")
@click.option("--task", help="Only those of the task with this slug, such as load-1.")
@click.option(
    "--groups",
    is_flag=True,
    help="One line for each task, with the number of its task runs in each state and the first failure.",
)
@limit_option(1000, maximum=1_000_000)
@zone_option
@as_json
def get_task_runs(
    run_id: UUID, states: tuple[str, ...], task: str | None, groups: bool, limit: int, json_output: bool
) -> None:
    """List the task runs of a run."""
    from itertools import islice

    from appliance.client import flow_runs

    if groups:
        if states or task:
            raise click.UsageError("--groups lists all tasks; leave out --state and --task.")
        _print_groups(list(islice(flow_runs.task_groups(connect(), run_id), limit)), json_output)
        return
    task_runs = list(islice(flow_runs.task_runs(connect(), run_id, states=states, task=task), limit))
    if json_output:
        print_json(task_runs)
        return
    with_children = any(t.child_flow_run_id for t in task_runs)
    rows = (
        (
            t.state,
            t.task_slug,
            t.map_index if t.map_index >= 0 else "",
            *((t.child_flow_run_id or "",) if with_children else ()),
            t.start_time,
            t.end_time,
            _short(t.state_message),
        )
        for t in task_runs
    )
    empty = "No task runs match." if states or task else "The run has no task runs yet."
    child = ("CHILD RUN",) if with_children else ()
    print_table(("STATE", "TASK", "INDEX", *child, "STARTED", "ENDED", "MESSAGE"), rows, empty)


def _print_groups(groups: list[TaskGroupView], json_output: bool) -> None:
    if json_output:
        print_json(groups)
        return
    rows = (
        (
            group.task_slug,
            group.count if group.mapped else "",
            ", ".join(f"{s.count:,} {s.state}" if group.mapped else s.state for s in group.states),
            group.start_time,
            group.end_time,
            _short(_first_failure(group)),
        )
        for group in groups
    )
    empty = "The run has no task runs yet."
    print_table(("TASK", "CHILDREN", "STATES", "STARTED", "ENDED", "FIRST FAILURE"), rows, empty)


def _first_failure(group: TaskGroupView) -> str:
    """With the map index of the child; what did not run because of another failure counts only if nothing else failed."""
    failed = [one for one in group.states if one.state_type == "FAILED"]
    first = next((one for one in failed if one.state != "TriggerFailed"), failed[0] if failed else None)
    if first is None:
        return ""
    return f"[{first.first_map_index}] {first.first_message}" if group.mapped else first.first_message


@get.command("schedules")
@click.option("--flow", "flow_id", type=FlowId(), help="Only schedules of this flow: its name, project/flow, or id.")
@click.option("--project", help="Only schedules of this project.")
@click.option("--active/--paused", default=None, help="Only schedules that are on, or that are off.")
@as_json
def get_schedules(flow_id: UUID | None, project: str | None, active: bool | None, json_output: bool) -> None:
    """List the schedules of flows."""
    from appliance.client import schedules

    items = schedules.listed(connect(), flow_id, project=project, active=active)
    if json_output:
        print_json(items)
        return
    filtered = flow_id is not None or project is not None or active is not None
    rows = (
        (s["project"], s["flow"], s["description"], s["timezone"], "on" if s["active"] else "paused", s["id"])
        for s in items
    )
    print_table(
        ("PROJECT", "FLOW", "WHEN", "ZONE", "ACTIVE", "ID"),
        rows,
        "No schedules match." if filtered else "No schedules exist; add one with `appliance schedule add`.",
    )


@get.command("agents")
@click.option("--health", help="Only agents that are online, draining, quarantined, or offline.")
@click.option("--label", "labels", multiple=True, help="Only agents that have this label (repeatable).")
@zone_option
@as_json
def get_agents(health: str | None, labels: tuple[str, ...], json_output: bool) -> None:
    """List agents and their health."""
    from appliance.client import agents

    items = agents.listed(connect(), health=health, labels=labels)
    if json_output:
        print_json(items)
        return
    apart = [one for one in items if one["health"] == "offline" and health is None]
    here = [one for one in items if one not in apart]
    columns = ("NAME", "HEALTH", "TYPE", "HOST", "LABELS", "PROJECTS", "LAST SEEN")
    nobody = "No agent is online." if apart else "No agents have enrolled yet."
    if health or labels:
        nobody = "No agents match."
    print_table(columns, map(_agent, here), nobody)
    if apart:
        echo("\nOffline:")
        print_table(columns, map(_agent, apart), "")
    for one in here:
        for problem in one.get("problems") or ():
            echo(f"\nAgent {one['name']}: {problem}")


def _agent(one: dict[str, Any]) -> tuple[Any, ...]:
    projects = one.get("projects") or "all"  # a server of the release before doesn't know them
    until = one.get("quarantined_until")  # likewise
    health = f"{one['health']} until {zone.local(until)}" if until else one["health"]
    return one["name"], health, one["type"], one["host"], one["labels"], projects, zone.local(one["last_seen"])


def _short(message: str) -> str:
    line = message.splitlines()[0] if message else ""
    return line if len(line) <= 80 else line[:79] + "…"
