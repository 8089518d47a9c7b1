"""Projects on the server: list, rename, pause, archive, and delete them."""

from __future__ import annotations

from uuid import UUID

from appliance.client import wire
from appliance.client.transport import Transport, path
from appliance.protocol.jobs import JobView
from appliance.protocol.life_cycle import DeleteTree, DeletionPreview, EditProject, ProjectView
from appliance.protocol.message import Page


def listed(transport: Transport, name: str | None = None, archived: bool = False) -> list[ProjectView]:
    """Projects by name: those in use, or those in the archive."""
    page = transport.get(path("projects"), Page, {"name": name, "archived": archived or None})
    return wire.items(page, ProjectView)


def edit(transport: Transport, project_id: UUID, request: EditProject) -> ProjectView:
    """Rename a project, pause or archive it with all its flows, or undo either."""
    return transport.change("PATCH", path("projects", project_id), request, ProjectView)


def deletion(transport: Transport, project_id: UUID) -> DeletionPreview:
    """What deleting a project would delete."""
    return transport.get(path("projects", project_id, "deletion"), DeletionPreview)


def delete(transport: Transport, project_id: UUID, request: DeleteTree) -> JobView:
    """Delete a project with all its flows, as a job to follow."""
    return transport.change("DELETE", path("projects", project_id), request, JobView)
