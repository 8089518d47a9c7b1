"""Projects on the command line, by name or id, whether they are in use or in the archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from appliance.cli.identifiers import unknown

if TYPE_CHECKING:
    from appliance.client.transport import Transport
    from appliance.protocol.life_cycle import ProjectView

project_option = click.option("--project", help="The flow's project, if its name alone is not unique.")


def find_project(transport: Transport, name: str) -> ProjectView:
    """The project that a person means by its name or id. Raises UsageError."""
    from appliance.client import projects

    known = [one for archived in (False, True) for one in projects.listed(transport, archived=archived)]
    for project in known:
        if name in (project.name, str(project.id)):
            return project
    names = [project.name for project in known]
    raise unknown("project", name, names, "run `appliance project list` to list projects", listing=False)
