"""`appliance get NOUN`: lists what the server knows, as a table or as JSON."""

from __future__ import annotations

from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.identifiers import RunId
from appliance.cli.output import as_json, print_json, print_table

limit_option = click.option(
    "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many."
)


@click.group()
def get() -> None:
    """List flow runs, flows, task runs, schedules or agents."""


@get.command("flow-runs")
@click.option("--state", help="Only runs in this state, by name or type, such as Failed or RUNNING.")
@click.option("--flow", help="Only runs of this flow.")
@click.option("--project", help="Only runs of this project.")
@limit_option
@as_json
def get_flow_runs(state: str | None, flow: str | None, project: str | None, limit: int, json_output: bool) -> None:
    """List flow runs, newest first, with why they wait or how they ended."""
    from appliance.client import flow_runs

    runs = list(flow_runs.each(connect(), state=state, flow=flow, project=project, limit=limit))
    if json_output:
        print_json(runs)
        return
    print_table(
        ("STATE", "FLOW", "RUN", "STARTED", "ENDED", "ID", "WHY"),
        (
            (
                r.state,
                f"{r.project}/{r.flow}",
                r.name,
                r.start_time,
                r.end_time,
                r.id,
                _short(r.wait_reason or r.state_message),
            )
            for r in runs
        ),
        "No run matches.",
    )


@get.command("flows")
@click.option("--project", help="Only flows of this project.")
@limit_option
@as_json
def get_flows(project: str | None, limit: int, json_output: bool) -> None:
    """List flows by name."""
    from appliance.client import flows

    found = list(flows.each(connect(), project=project, limit=limit))
    if json_output:
        print_json(found)
        return
    rows = ((f["project"], f["name"], f.get("version"), f["id"]) for f in found)
    print_table(
        ("PROJECT", "FLOW", "VERSION", "ID"), rows, "No flow is registered; `appliance register PATH` does that."
    )


@get.command("task-runs")
@click.argument("run_id", type=RunId(), metavar="RUN")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=1000, show_default=True, help="At most so many.")
@as_json
def get_task_runs(run_id: UUID, limit: int, json_output: bool) -> None:
    """List the task runs of one run."""
    from itertools import islice

    from appliance.client import flow_runs

    found = list(islice(flow_runs.task_runs(connect(), run_id), limit))
    if json_output:
        print_json(found)
        return
    rows = (
        (
            t.state,
            t.task_slug,
            t.map_index if t.map_index >= 0 else "",
            t.start_time,
            t.end_time,
            _short(t.state_message),
        )
        for t in found
    )
    print_table(("STATE", "TASK", "INDEX", "STARTED", "ENDED", "MESSAGE"), rows, "The run has no task runs yet.")


@get.command("schedules")
@click.option("--flow", "flow_id", type=click.UUID, help="Only schedules of the flow with this id.")
@as_json
def get_schedules(flow_id: UUID | None, json_output: bool) -> None:
    """List schedules with their flows."""
    from appliance.client import schedules

    found = schedules.listed(connect(), flow_id)
    if json_output:
        print_json(found)
        return
    rows = (
        (s["project"], s["flow"], s["description"], s["timezone"], "on" if s["active"] else "paused", s["id"])
        for s in found
    )
    print_table(("PROJECT", "FLOW", "WHEN", "ZONE", "ACTIVE", "ID"), rows, "There is no schedule.")


@get.command("agents")
@as_json
def get_agents(json_output: bool) -> None:
    """List agents and their health."""
    from appliance.client import agents

    found = agents.listed(connect())
    if json_output:
        print_json(found)
        return
    rows = (
        (a["name"], a.get("health", a.get("state")), a["type"], a["host"], a["labels"], a["last_seen"]) for a in found
    )
    print_table(("NAME", "HEALTH", "TYPE", "HOST", "LABELS", "LAST SEEN"), rows, "No agent has enrolled yet.")


def _short(message: str) -> str:
    line = message.splitlines()[0] if message else ""
    return line if len(line) <= 80 else line[:79] + "…"
