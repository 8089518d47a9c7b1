"""`appliance project`: lists, renames, archives, and deletes projects."""

from __future__ import annotations

from typing import Any

import click

from appliance.cli import deletion
from appliance.cli.connection import connect
from appliance.cli.options import key_option, reason_option, wait_option, yes_option
from appliance.cli.output import as_json, print_json, print_table
from appliance.cli.projects import find_project


@click.group(
    epilog="\b\nExamples:\n  appliance project list\n  appliance project rename finance accounting"
    "\n  appliance project archive finance --reason 'closed in March'\n  appliance project delete finance --preview"
)
def project() -> None:
    """List, rename, archive, and delete projects.

    PROJECT is a project's name or id. A project is created when a flow is registered in it.
    """


@project.command("list")
@click.option("--archived", is_flag=True, help="List the projects in the archive instead.")
@as_json
def list_projects(archived: bool, json_output: bool) -> None:
    """List projects with the number of their flows."""
    from appliance.client import projects

    items = projects.listed(connect(), archived=archived)
    if json_output:
        print_json(items)
        return
    rows = ((one.name, one.flows, one.created, one.id) for one in items)
    empty = "No projects are in the archive." if archived else "There are no projects; register a flow to make one."
    print_table(("PROJECT", "FLOWS", "CREATED", "ID"), rows, empty)


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
@deletion.preview_option
@deletion.cancel_runs_option
@reason_option("with the job")
@yes_option
@wait_option
@key_option
@as_json
def delete(
    project_name: str, preview: bool, cancel_runs: bool, reason: str, yes: bool, wait: bool, json_output: bool
) -> int:
    """Delete a project with all its flows and their runs, as a job. Results stored elsewhere are not deleted."""
    from appliance.cli.watch_job import finish
    from appliance.client import projects
    from appliance.protocol.life_cycle import DeleteTree

    transport = connect()
    project_id = find_project(transport, project_name).id
    counted = projects.deletion(transport, project_id)
    if preview and json_output:
        print_json(counted)
        return 0
    deletion.show(counted)
    if preview:
        return 0
    if not yes:
        deletion.confirm(counted)
    job = projects.delete(transport, project_id, DeleteTree(cancel_runs=cancel_runs, reason=reason))
    return finish(transport, job, json_output, wait)


def _edit(project_name: str, reason: str, json_output: bool, **fields: Any) -> None:
    from appliance.client import projects
    from appliance.protocol.life_cycle import EditProject

    transport = connect()
    edited = projects.edit(transport, find_project(transport, project_name).id, EditProject(reason=reason, **fields))
    if json_output:
        print_json(edited)
        return
    click.echo(f"Project {edited.name} is {'archived' if edited.archived else 'active'}.")
