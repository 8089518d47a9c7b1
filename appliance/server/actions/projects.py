"""Projects: the namespaces of flows. Registering a flow creates them; people rename and archive them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.protocol.life_cycle import EditProject
from appliance.server.actions import flow_edits
from appliance.server.actions.keyed import keyed
from appliance.server.actions.names import required_name
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import former_names as read_former_names
from appliance.server.db.reads.former_names import PROJECT, SITE
from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.tables.projects import Project
from appliance.server.db.writes import flows, former_names, projects
from appliance.server.domain.sanitize import clean
from appliance.server.errors import Conflict, Invalid, NotFound, Renamed
from appliance.server.events.outbox import announce

_KINDS = {
    ("paused", True): "project.paused",
    ("paused", False): "project.resumed",
    ("archived", True): "project.archived",
    ("archived", False): "project.unarchived",
}


@retried
def ensure_project(db: Database, actor: Actor, name: str, *, now: datetime | None = None) -> UUID:
    """The project of this name, created if it is missing."""
    now = now or clock.now()
    with db.write("project") as session:
        return ensure(session, actor, name, now)


def ensure(session: Session, actor: Actor, name: str, now: datetime, *, as_new: bool = False) -> UUID:
    """The same, inside the transaction of another action. Raises Renamed if a project was renamed from this name, unless `as_new`."""
    name = required_name(name, "project")
    project = projects.share(session, name)
    if project is None:
        _require_new_name(name)
        renamed = read_former_names.project_renamed_from(session, name)
        if renamed is not None and not as_new:
            project_id, current = renamed
            raise Renamed(
                f"Project {name!r} was renamed to {current!r}; register with that project, or as a new one (--as-new).",
                id=str(project_id),
                name=current,
            )
        created = projects.create(session, name, now)
        if created is not None:
            former_names.release(session, PROJECT, SITE, name)
            announce(session, "project", created, "project.created", {"name": name}, actor, now)
            return created
        project = projects.share(session, name)  # another request has just created it
        assert project is not None
    if project.archived:
        raise Conflict(f"Project {name!r} is archived; take it out of the archive first, or register in another one.")
    return project.id


@keyed("project.edit")
def edit(db: Database, actor: Actor, project_id: UUID, request: EditProject, *, now: datetime | None = None) -> UUID:
    """Rename a project, pause or archive it with all its flows, or undo either. What is already so stays as it is."""
    now, name = now or clock.now(), None if request.name is None else required_name(request.name, "project")
    if name is None and request.paused is None and request.archived is None:
        raise Invalid("Nothing to change; send name, paused or archived.")
    with db.write("tree.edit") as session:
        project = require(projects.lock(session, project_id))
        if name is not None:
            _rename(session, project, name, actor, request.reason, now)
        for field in flow_edits.WITH_PROJECT:
            stopped = getattr(request, field)
            if stopped is not None and stopped != getattr(project, field):
                _stop_or_start(
                    session, project, field, stopped, actor, request.reason, now, db.rules.scheduled_runs_ahead
                )
        return project_id


def require(project: Project | None) -> Project:
    if project is None:
        raise NotFound("There is no such project; it may have been deleted.")
    return project


def _stop_or_start(
    session: Session, project: Project, field: str, stopped: bool, actor: Actor, reason: str, now: datetime, ahead: int
) -> None:
    """Pause or archive (`field`) a project and its flows, or undo it for the project and the flows that were stopped with it."""
    mark = flow_edits.WITH_PROJECT[field]
    for flow in flows.lock_of_project(session, project.id):
        flow_edits.refuse_if_deleted(session, flow)
        if stopped and not getattr(flow, field):
            flow_edits.stop_or_start(session, flow, actor, reason, now, ahead, **{field: True})
            flow.settings = flow.settings | {mark: True}
        elif not stopped and flow.settings.get(mark):
            flow_edits.stop_or_start(session, flow, actor, reason, now, ahead, **{field: False})
    setattr(project, field, stopped)
    session.flush()
    announce(session, "project", project.id, _KINDS[field, stopped], {"reason": clean(reason)}, actor, now)


def _rename(session: Session, project: Project, name: str, actor: Actor, reason: str, now: datetime) -> None:
    if name == project.name:
        return
    _require_new_name(name)
    if projects.share(session, name) is not None:
        raise Conflict(f"There is a project named {name!r} already; choose another name.")
    before = project.name
    former_names.release(session, PROJECT, SITE, name)
    former_names.record(session, PROJECT, SITE, before, project.id, now)
    project.name = name
    session.flush()
    data = {"from": before, "to": name, "reason": clean(reason)}
    announce(session, "project", project.id, "project.renamed", data, actor, now)


def _require_new_name(name: str) -> None:
    if "/" in name:
        raise Invalid(
            f"A project's name can't contain '/', because project/flow names a flow; "
            f"use another character, as in {name.replace('/', '-')!r}."
        )
