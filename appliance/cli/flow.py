"""`appliance flow`: renames, pauses, archives, and deletes flows, sets their defaults, compares their versions, and rolls back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from appliance.cli import deletion, flow_defaults
from appliance.cli.connection import connect
from appliance.cli.identifiers import find_flow
from appliance.cli.options import key_option, reason_option
from appliance.cli.output import as_json, echo, print_json
from appliance.cli.projects import project_option

F = TypeVar("F", bound=Callable[..., Any])


@click.group(
    epilog="\b\nExamples:\n  appliance flow rename finance/etl daily-etl\n  appliance flow pause finance/etl --reason 'wrong data'"
    "\n  appliance flow diff finance/etl 3 4\n  appliance flow rollback finance/etl --to 3\n  appliance flow delete finance/etl --preview"
)
def flow() -> None:
    """Rename, pause, archive, and delete flows, set defaults of their runs, compare their versions, and roll back to one.

    FLOW is a flow's name, project/name, or id. To list flows, run `appliance get flows`.
    """


def _changes(command: F) -> F:
    """The argument and the options of every command that changes a flow."""
    for option in (as_json, key_option, reason_option("in the audit log"), project_option):
        command = option(command)
    return command


@flow.command()
@click.argument("flow_name", metavar="FLOW")
@click.argument("name", metavar="NAME")
@_changes
def rename(flow_name: str, name: str, **options: Any) -> None:
    """Rename a flow to NAME. Its id, versions, runs, and schedules stay.

    Use the new name in the code, too: registering under the old one is refused, so that no second flow is made by mistake.
    """
    _edit(flow_name, options, name=name)


@flow.command()
@click.argument("flow_name", metavar="FLOW")
@_changes
def pause(flow_name: str, **options: Any) -> None:
    """Pause a flow. Its runs wait, and its schedules plan none; runs in progress continue."""
    _edit(flow_name, options, paused=True)


@flow.command()
@click.argument("flow_name", metavar="FLOW")
@_changes
def resume(flow_name: str, **options: Any) -> None:
    """Resume a paused flow. Times that passed while it was paused get no runs."""
    _edit(flow_name, options, paused=False)


@flow.command()
@click.argument("flow_name", metavar="FLOW")
@_changes
def archive(flow_name: str, **options: Any) -> None:
    """Archive a flow. It leaves the lists, starts no runs, and takes no new ones and no new versions."""
    _edit(flow_name, options, archived=True)


@flow.command()
@click.argument("flow_name", metavar="FLOW")
@_changes
def unarchive(flow_name: str, **options: Any) -> None:
    """Take a flow out of the archive. Times that passed meanwhile get no runs."""
    _edit(flow_name, options, archived=False)


flow.add_command(flow_defaults.defaults)


@flow.command(
    epilog="\b\nExamples:\n  appliance flow delete finance/etl --preview\n  appliance flow delete finance/etl --cancel-runs --reason 'replaced by daily-etl'"
)
@click.argument("flow_name", metavar="FLOW")
@project_option
@deletion.options
def delete(flow_name: str, project: str | None, **options: Any) -> int:
    """Delete a flow with its runs, versions, and schedules, as a job. Agents remove the results in their folders; others stay."""
    from appliance.client import flows

    transport = connect()
    return deletion.delete(transport, flows, find_flow(transport, flow_name, project)["id"], **options)


@flow.command()
@click.argument("flow_name", metavar="FLOW")
@click.argument("before", type=click.IntRange(min=1), metavar="BEFORE")
@click.argument("after", type=click.IntRange(min=1), metavar="AFTER")
@project_option
@as_json
def diff(flow_name: str, before: int, after: int, project: str | None, json_output: bool) -> None:
    """Compare two versions of a flow: tasks, edges, parameters, labels, run config, schedules, and storage."""
    from appliance.cli.version_diff import lines
    from appliance.client import flows

    transport = connect()
    compared = flows.compare(transport, find_flow(transport, flow_name, project)["id"], before, after)
    if json_output:
        print_json(compared)
        return
    for line in lines(compared):
        echo(line)


@flow.command(
    epilog="\b\nExamples:\n  appliance flow rollback finance/etl --to 3 --preview"
    "\n  appliance flow rollback finance/etl --to 3 --reason 'wrong totals'"
)
@click.argument("flow_name", metavar="FLOW")
@click.option("--to", type=click.IntRange(min=1), required=True, help="The number of the earlier version.")
@click.option("--preview", is_flag=True, help="Only show what would change.")
@_changes
def rollback(flow_name: str, to: int, preview: bool, **options: Any) -> None:
    """Roll a flow back: a copy of an earlier version becomes its newest one.

    Schedules in the code and scheduled runs follow, as after a registration. Runs in progress keep their version.
    """
    from appliance.cli.version_diff import lines
    from appliance.client import flows
    from appliance.protocol.flows import RollBack

    transport = connect()
    known = find_flow(transport, flow_name, options["project"])
    request = RollBack(to=to, reason=options["reason"])
    if not preview:
        done = flows.roll_back(transport, known["id"], request)
        print_json(done) if options["json_output"] else echo(f"{known['project']}/{known['name']}: {done}")
        return
    coming = flows.preview_rollback(transport, known["id"], request)
    if options["json_output"]:
        print_json(coming)
        return
    for line in lines(flows.compare(transport, known["id"], coming.version - 1, to)):
        echo(line)
    for text in [*(news.text for news in coming.schedules), *(f"Warning: {one}" for one in coming.warnings)]:
        echo(text)
    would = f"It would be refused: {coming.closed}" if coming.closed else f"It would become version {coming.version}."
    echo(f"{would} Nothing was changed.")


@flow.command(
    epilog="\b\nExamples:\n  appliance flow history finance/etl\n  appliance flow history etl --project finance --json"
)
@click.argument("flow_name", metavar="FLOW")
@project_option
@as_json
def history(flow_name: str, project: str | None, json_output: bool) -> None:
    """Show how long the last runs of a flow took, and the causes of those that failed, the most frequent first."""
    from appliance.cli.flow_history import print_history
    from appliance.client import flows

    transport = connect()
    past = flows.history(transport, find_flow(transport, flow_name, project)["id"])
    print_json(past) if json_output else print_history(past)


@flow.command(
    epilog="\b\nExamples:\n  appliance flow tasks finance/etl\n  appliance flow tasks etl --project finance --json"
)
@click.argument("flow_name", metavar="FLOW")
@project_option
@as_json
def tasks(flow_name: str, project: str | None, json_output: bool) -> None:
    """Show what each task took in the last runs of a flow, how often it failed, and its share of the critical path."""
    from appliance.cli.flow_history import print_tasks
    from appliance.client import flows

    transport = connect()
    figures = flows.tasks(transport, find_flow(transport, flow_name, project)["id"])
    print_json(figures) if json_output else print_tasks(figures)


def _edit(flow_name: str, options: dict[str, Any], **fields: Any) -> None:
    from appliance.client import flows
    from appliance.protocol.life_cycle import EditFlow

    transport = connect()
    flow_id = find_flow(transport, flow_name, options["project"])["id"]
    edited = flows.edit(transport, flow_id, EditFlow(reason=options["reason"], **fields))
    if options["json_output"]:
        print_json(edited)
        return
    states = [state for state in ("paused", "archived") if edited[state]]
    echo(f"Flow {edited['project']}/{edited['name']} is {' and '.join(states) or 'active'}.")
