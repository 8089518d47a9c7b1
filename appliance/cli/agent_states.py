"""`appliance agent runs`, `drain`, `resume`, and `forget`: looking after the agents that have enrolled."""

from __future__ import annotations

from uuid import UUID

import click

from appliance.cli import zone
from appliance.cli.connection import connect
from appliance.cli.identifiers import AgentId
from appliance.cli.options import key_option
from appliance.cli.output import as_json, echo, print_json, print_table
from appliance.cli.zone import zone_option
from appliance.kit.plurals import counted

EPILOG = """\b
Examples:
  appliance agent runs edge-01
  appliance agent drain edge-01        no new runs, before the machine is patched
  appliance agent resume edge-01
  appliance agent forget edge-01       it is offline and won't come back"""

agent_argument = click.argument("agent_id", type=AgentId(), metavar="AGENT")


@click.command(epilog=EPILOG)
@agent_argument
@zone_option
@as_json
def runs(agent_id: UUID, json_output: bool) -> None:
    """List the runs of AGENT, an id or a name: those it has, the due ones it would take, and the last ones that ended."""
    from appliance.client import agents

    by_part = agents.runs(connect(), agent_id)
    if json_output:
        print_json(by_part)
        return
    print_table(
        ("", "STATE", "FLOW", "RUN", "STARTED", "ENDED", "WHY"),
        (
            (
                part,
                run.state,
                f"{run.project}/{run.flow}",
                run.name,
                run.start_time,
                run.end_time,
                zone.in_zone(run.wait_reason) if run.wait_reason else run.state_message.partition("\n")[0],
            )
            for part in ("live", "waiting", "ended")
            for run in by_part[part]
        ),
        "The agent has no runs, none waits for it, and none has ended lately.",
    )


@click.command(epilog=EPILOG)
@agent_argument
@key_option
@as_json
def drain(agent_id: UUID, json_output: bool) -> None:
    """Give AGENT, an id or a name, no more runs until it is resumed. Those it has go on."""
    from appliance.client import agents

    one = agents.drain(connect(), agent_id)
    if json_output:
        print_json(one)
        return
    left = f"; {counted(one['running'], 'run')} still to end" if one["running"] else ", and has none left"
    echo(f"Agent {one['name']} gets no more runs{left}.")


@click.command(epilog=EPILOG)
@agent_argument
@key_option
@as_json
def resume(agent_id: UUID, json_output: bool) -> None:
    """Give AGENT, an id or a name, runs again."""
    from appliance.client import agents

    one = agents.resume(connect(), agent_id)
    if json_output:
        print_json(one)
    else:
        offline = " when it is online" if one["health"] == "offline" else ""
        echo(f"Agent {one['name']} gets runs again{offline}.")


@click.command(epilog=EPILOG)
@agent_argument
@key_option
def forget(agent_id: UUID) -> None:
    """Leave AGENT, an id or a name, out of all lists. It must be offline, without runs. If it comes back, it is listed again."""
    from appliance.client import agents

    agents.forget(connect(), agent_id)
    echo("Agent forgotten.")
