"""`appliance project`: lists, renames, pauses, archives, and deletes projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from appliance.cli import deletion
from appliance.cli.connection import connect
from appliance.cli.options import key_option, reason_option
from appliance.cli.output import as_json, echo, print_json, print_table, size_text
from appliance.cli.projects import find_project

if TYPE_CHECKING:
    from appliance.protocol.life_cycle import ProjectView


@click.group(
    epilog="\b\nExamples:\n  appliance project list\n  appliance project rename finance accounting"
    "\n  appliance project archive finance --reason 'closed in March'\n  appliance project delete finance --preview"
)
def project() -> None:
    """List, rename, pause, archive, and delete projects.

    PROJECT is a project's name or id. A project is created when a flow is registered in it.
    """


@project.command("list")
@click.option("--archived", is_flag=True, help="List the projects in the archive instead.")
@as_json
def list_projects(archived: bool, json_output: bool) -> None:
    """List projects with the number of their flows, and with what they have stored of runs, logs and versions."""
    from appliance.client import projects

    items = projects.listed(connect(), archived=archived)
    if json_output:
        print_json(items)
        return
    rows = ((one.name, one.flows, *_stored(one), one.created, one.id, _marks(one)) for one in items)
    empty = "No projects are in the archive." if archived else "There are no projects; register a flow to make one."
    print_table(("PROJECT", "FLOWS", "ROWS", "SIZE", "CREATED", "ID", ""), rows, empty)


def _stored(one: ProjectView) -> tuple[str, str]:
    return ("", "") if one.usage is None else (f"{one.usage.rows:,}", size_text(one.usage.bytes))


def _marks(one: ProjectView) -> str:
    is_full = one.usage is not None and one.usage.is_full
    return ", ".join(["paused"] * one.paused + ["full"] * is_full)


@project.command()
@click.argument("project_name", metavar="PROJECT")
@click.argument("name", metavar="NAME")
@reason_option("in the audit log")
@key_option
@as_json
def rename(project_name: str, name: str, reason: str, json_output: bool) -> None:
    """Rename a project to NAME. Its flows stay as they are; registering in it under the old name is refused."""
    _edit(project_name, reason, json_output, name=name)


@project.command()
@click.argument("project_name", metavar="PROJECT")
@reason_option("in the audit log")
@key_option
@as_json
def pause(project_name: str, reason: str, json_output: bool) -> None:
    """Pause a project with all its flows. Their runs wait, and their schedules plan none; runs in progress continue."""
    _edit(project_name, reason, json_output, paused=True)


@project.command()
@click.argument("project_name", metavar="PROJECT")
@reason_option("in the audit log")
@key_option
@as_json
def resume(project_name: str, reason: str, json_output: bool) -> None:
    """Resume a paused project, with the flows that were paused with it. Times that passed meanwhile get no runs."""
    _edit(project_name, reason, json_output, paused=False)


@project.command()
@click.argument("project_name", metavar="PROJECT")
@reason_option("in the audit log")
@key_option
@as_json
def archive(project_name: str, reason: str, json_output: bool) -> None:
    """Archive a project with all its flows. They leave the lists, start no runs, and take no new ones."""
    _edit(project_name, reason, json_output, archived=True)


@project.command()
@click.argument("project_name", metavar="PROJECT")
@reason_option("in the audit log")
@key_option
@as_json
def unarchive(project_name: str, reason: str, json_output: bool) -> None:
    """Take a project out of the archive, with the flows that were archived with it."""
    _edit(project_name, reason, json_output, archived=False)


@project.command(
    epilog="\b\nExamples:\n  appliance project delete finance --preview\n  appliance project delete finance --cancel-runs --yes"
)
@click.argument("project_name", metavar="PROJECT")
@deletion.options
def delete(project_name: str, **options: Any) -> int:
    """Delete a project with all its flows and their runs, as a job. Agents remove the results in their folders; others stay."""
    from appliance.client import projects

    transport = connect()
    return deletion.delete(transport, projects, find_project(transport, project_name).id, **options)


def _edit(project_name: str, reason: str, json_output: bool, **fields: Any) -> None:
    from appliance.client import projects
    from appliance.protocol.life_cycle import EditProject

    transport = connect()
    edited = projects.edit(transport, find_project(transport, project_name).id, EditProject(reason=reason, **fields))
    if json_output:
        print_json(edited)
        return
    states = [state for state in ("paused", "archived") if getattr(edited, state)]
    echo(f"Project {edited.name} is {' and '.join(states) or 'active'}.")
