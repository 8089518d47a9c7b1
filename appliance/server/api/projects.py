"""REST: projects: listing, renaming, pausing, archiving and deleting them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from litestar import Router, delete, get, patch
from sqlalchemy.orm import Session

from appliance.protocol.jobs import JobView
from appliance.protocol.life_cycle import DeleteTree, DeletionPreview, EditProject, ProjectView
from appliance.protocol.message import Page
from appliance.server.actions import deletions
from appliance.server.actions import jobs as job_actions
from appliance.server.actions import projects as actions
from appliance.server.api import PREFIX, jobs
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import projects, usage
from appliance.server.db.rows.projects import ProjectRow
from appliance.server.db.session import Database
from appliance.server.domain import quotas
from appliance.server.errors import NotFound


@get("/", opt={"permission": Permission.READ, "items": ProjectView}, sync_to_thread=True)
def index(database: Database, name: str | None = None, archived: bool = False) -> Page:
    """List all projects, sorted by name: those in use, or with `archived` those in the archive. `name` is a whole name."""
    with database.read() as session:
        rows = [row for row in projects.every(session, archived) if name is None or row.name == name]
        return Page(items=_views(database, session, rows))


@get("/{project_id:uuid}", opt={"permission": Permission.READ}, sync_to_thread=True)
def show(database: Database, project_id: UUID) -> ProjectView:
    """Get one project."""
    return _one(database, project_id)


@patch("/{project_id:uuid}", opt={"permission": Permission.EDIT_FLOW, "body": EditProject}, sync_to_thread=True)
def edit(database: Database, actor: Actor, project_id: UUID, body: bytes) -> ProjectView:
    """Rename a project, pause or archive it with all its flows, or undo either."""
    return _one(database, actions.edit(database, actor, project_id, decode(body, EditProject)))


@get("/{project_id:uuid}/deletion", opt={"permission": Permission.READ}, sync_to_thread=True)
def deletion(database: Database, project_id: UUID) -> DeletionPreview:
    """Preview what deleting the project would delete."""
    return deletions.preview(database, "project", project_id)


@delete(
    "/{project_id:uuid}",
    opt={"permission": Permission.DELETE_FLOW, "body": DeleteTree},
    status_code=202,
    sync_to_thread=True,
)
def remove(database: Database, actor: Actor, project_id: UUID, body: bytes) -> JobView:
    """Delete a project with all its flows and their runs, as a job. Agents remove the results in their folders; others stay."""
    return jobs.one(database, job_actions.delete(database, actor, "project", project_id, decode(body, DeleteTree)))


def _one(database: Database, project_id: UUID) -> ProjectView:
    with database.read() as session:
        views = _views(database, session, projects.by_ids(session, [project_id]))
    if not views:
        raise NotFound("There is no such project; it may have been deleted.")
    return views[0]


def _views(database: Database, session: Session, rows: Sequence[ProjectRow]) -> list[ProjectView]:
    ids = [row.id for row in rows]
    counts, stored = projects.flow_counts(session, ids), usage.stored(session, ids)
    return [
        ProjectView(
            id=row.id,
            name=row.name,
            description=row.description,
            archived=row.archived,
            paused=row.paused,
            created=row.created,
            flows=counts.get(row.id, 0),
            usage=quotas.usage(stored.get(row.id), database.rules),
        )
        for row in rows
    ]


router = Router(f"{PREFIX}/projects", route_handlers=[index, show, edit, deletion, remove])
