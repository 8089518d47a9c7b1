"""Flows and projects on the command line, by name or id, whether they are in use or in the archive."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import click

if TYPE_CHECKING:
    from appliance.client.transport import Transport
    from appliance.protocol.life_cycle import ProjectView

F = TypeVar("F", bound=Callable[..., Any])

project_option = click.option("--project", help="The flow's project, if its name alone is not unique.")


def find_flow(transport: Transport, name: str, project: str | None = None) -> dict[str, Any]:
    """The flow that a person means by its id, its name, or project/name. Raises UsageError unless there is exactly one."""
    from appliance.client import flows

    try:
        return flows.get(transport, UUID(name))
    except ValueError:
        pass
    prefix, _, rest = name.partition("/")
    meant = {(project, name)} | ({(prefix, rest)} if rest and project is None else set())
    matches = [
        flow
        for archived in (False, True)
        for flow in flows.each(transport, project=project, name=rest or name, archived=archived)
        if any(flow["name"] == one and of in (None, flow["project"]) for of, one in meant)
    ]
    if len(matches) == 1:
        return matches[0]
    where = "" if project is None else f" in project {project!r}"
    if not matches:
        raise click.UsageError(f"There is no flow {name!r}{where}; run `appliance get flows` to list flows.")
    listed = ", ".join(f"{flow['project']}/{flow['name']}" for flow in matches)
    raise click.UsageError(f"{len(matches)} flows are named {name!r}: {listed}; write project/flow.")


def find_project(transport: Transport, name: str) -> ProjectView:
    """The project that a person means by its name or id. Raises UsageError."""
    from appliance.client import projects

    for archived in (False, True):
        for project in projects.listed(transport, archived=archived):
            if name in (project.name, str(project.id)):
                return project
    raise click.UsageError(f"There is no project {name!r}; run `appliance project list` to list projects.")
