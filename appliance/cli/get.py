"""`appliance get NOUN`: lists what is on the server, as a table or as JSON."""

from __future__ import annotations

from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.identifiers import RunId
from appliance.cli.options import limit_option
from appliance.cli.output import as_json, print_json, print_table

EPILOG = """\b
Examples:
  appliance get flow-runs --project finance --state Failed
  appliance get task-runs RUN
  appliance get schedules --json"""


@click.group(epilog=EPILOG)
def get() -> None:
    """List flow runs, flows, task runs, schedules, or agents."""


@get.command("flow-runs", epilog=EPILOG)
@click.option("--state", help="Only runs in this state, by name or type, such as Failed or RUNNING.")
@click.option("--flow", help="Only runs of this flow.")
@click.option("--project", help="Only runs of this project.")
@limit_option()
@as_json
def get_flow_runs(state: str | None, flow: str | None, project: str | None, limit: int, json_output: bool) -> None:
    """List flow runs, newest first, with the reason why they wait or how they ended."""
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
        "No runs match.",
    )


@get.command("flows")
@click.option("--project", help="Only flows of this project.")
@limit_option()
@as_json
def get_flows(project: str | None, limit: int, json_output: bool) -> None:
    """List flows by name."""
    from appliance.client import flows

    page = list(flows.each(connect(), project=project, limit=limit))
    if json_output:
        print_json(page)
        return
    rows = ((f["project"], f["name"], f.get("version"), f["id"]) for f in page)
    print_table(
        ("PROJECT", "FLOW", "VERSION", "ID"), rows, "No flows are registered; register some with `appliance register`."
    )


@get.command("versions")
@click.option("--flow", "flow_id", type=click.UUID, required=True, help="The id of the flow.")
@limit_option(maximum=200)
@as_json
def get_versions(flow_id: UUID, limit: int, json_output: bool) -> None:
    """List the versions of a flow, newest first, with what changed."""
    from appliance.client import flows

    items = flows.versions(connect(), flow_id, limit)
    if json_output:
        print_json(items)
        return
    rows = ((v["number"], v["restores"], v["created"], v["created_by"], "; ".join(v["changes"])) for v in items)
    print_table(("VERSION", "RESTORES", "REGISTERED", "BY", "CHANGES"), rows, "The flow has no versions.")


@get.command("task-runs")
@click.argument("run_id", type=RunId(), metavar="RUN")
@limit_option(1000, maximum=1_000_000)
@as_json
def get_task_runs(run_id: UUID, limit: int, json_output: bool) -> None:
    """List the task runs of a run."""
    from itertools import islice

    from appliance.client import flow_runs

    task_runs = list(islice(flow_runs.task_runs(connect(), run_id), limit))
    if json_output:
        print_json(task_runs)
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
        for t in task_runs
    )
    print_table(("STATE", "TASK", "INDEX", "STARTED", "ENDED", "MESSAGE"), rows, "The run has no task runs yet.")


@get.command("schedules")
@click.option("--flow", "flow_id", type=click.UUID, help="Only schedules of the flow with this id.")
@as_json
def get_schedules(flow_id: UUID | None, json_output: bool) -> None:
    """List the schedules of flows."""
    from appliance.client import schedules

    items = schedules.listed(connect(), flow_id)
    if json_output:
        print_json(items)
        return
    rows = (
        (s["project"], s["flow"], s["description"], s["timezone"], "on" if s["active"] else "paused", s["id"])
        for s in items
    )
    print_table(
        ("PROJECT", "FLOW", "WHEN", "ZONE", "ACTIVE", "ID"),
        rows,
        "No schedules exist; add one with `appliance schedule add`.",
    )


@get.command("agents")
@as_json
def get_agents(json_output: bool) -> None:
    """List agents and their health."""
    from appliance.client import agents

    items = agents.listed(connect())
    if json_output:
        print_json(items)
        return
    rows = (
        (a["name"], a.get("health", a.get("state")), a["type"], a["host"], a["labels"], a["last_seen"]) for a in items
    )
    print_table(("NAME", "HEALTH", "TYPE", "HOST", "LABELS", "LAST SEEN"), rows, "No agents have enrolled yet.")


def _short(message: str) -> str:
    line = message.splitlines()[0] if message else ""
    return line if len(line) <= 80 else line[:79] + "…"
