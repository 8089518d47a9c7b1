"""Renaming, pausing and archiving flows. Neither a paused nor an archived flow starts runs, and its schedules plan none."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.kit.documents import JsonDocument
from appliance.protocol.life_cycle import EditFlow
from appliance.server.actions.keyed import keyed
from appliance.server.actions.names import required_name
from appliance.server.actions.planning import catch_up_missed, plan_again, unplan
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import flows as read_flows
from appliance.server.db.reads import jobs as read_jobs
from appliance.server.db.reads import mapped_flows
from appliance.server.db.reads import projects as read_projects
from appliance.server.db.reads.former_names import FLOW
from appliance.server.db.session import Database
from appliance.server.db.tables.flows import Flow
from appliance.server.db.tables.projects import Project
from appliance.server.db.writes import flows, former_names, projects, schedules
from appliance.server.domain.sanitize import clean
from appliance.server.domain.waiting import PAUSED_WITH_PROJECT
from appliance.server.errors import Conflict, Invalid, NotFound
from appliance.server.events.outbox import announce

WITH_PROJECT = {"paused": PAUSED_WITH_PROJECT, "archived": "archived_with_project"}
DELETION = "deletion"
"""Keys of a flow's settings: it was paused or archived because its project was; the id of the job that deletes it."""


@keyed("flow.edit")
def edit(db: Database, actor: Actor, flow_id: UUID, request: EditFlow, *, now: datetime | None = None) -> UUID:
    """Rename, pause, resume, archive or unarchive a flow. What is already so stays as it is."""
    now, name = now or clock.now(), None if request.name is None else required_name(request.name, "flow")
    if name is None and request.paused is None and request.archived is None:
        raise Invalid("Nothing to change; send name, paused or archived.")
    with db.write("flow.edit") as session:
        project = _lock_project(session, flow_id, request)
        flow = require(flows.lock(session, flow_id))
        refuse_if_deleted(session, flow)
        if name is not None:
            _rename(session, flow, name, actor, request.reason, now)
        _refuse_against_project(project, request)
        stop_or_start(
            session, flow, actor, request.reason, now, db.rules.scheduled_runs_ahead,
            paused=request.paused, archived=request.archived,
        )  # fmt: skip
        return flow_id


def of_new_flow(session: Session, project_id: UUID) -> JsonDocument:
    """What a flow begins with because of its project."""
    paused = read_projects.is_paused(session, project_id)
    return {"paused": True, "settings": {WITH_PROJECT["paused"]: True}} if paused else {}


def require(flow: Flow | None) -> Flow:
    if flow is None:
        raise NotFound("There is no such flow; it may have been deleted.")
    return flow


def stop_or_start(
    session: Session,
    flow: Flow,
    actor: Actor,
    reason: str,
    now: datetime,
    ahead: int,
    *,
    paused: bool | None = None,
    archived: bool | None = None,
) -> None:
    """Pause or archive a flow, or undo either. When it stops, its planned runs go; when it starts again, the next ones are planned."""
    kinds = []
    if paused is not None and paused != flow.paused:
        kinds.append("flow.paused" if paused else "flow.resumed")
    if archived is not None and archived != flow.archived:
        kinds.append("flow.archived" if archived else "flow.unarchived")
    if not kinds:
        return
    active, stopped = schedules.lock_of_flow(session, flow.id), flow.paused or flow.archived
    if not stopped:
        for schedule in active:
            catch_up_missed(session, schedule, actor, now, ahead)
    flow.paused = flow.paused if paused is None else paused
    flow.archived = flow.archived if archived is None else archived
    over = {mark for field, mark in WITH_PROJECT.items() if not getattr(flow, field)}
    flow.settings = {key: value for key, value in flow.settings.items() if key not in over}
    flow.updated = now
    session.flush()
    for schedule in (schedule for schedule in active if schedule.active):
        if flow.paused or flow.archived:
            unplan(session, schedule, now)
        else:
            plan_again(session, schedule, actor, now, ahead)
    for kind in kinds:
        announce(session, "flow", flow.id, kind, {"reason": clean(reason)}, actor, now)


def refuse_if_deleted(session: Session, flow: Flow) -> None:
    """Raise Conflict while a job deletes the flow."""
    job_id = deletion_of(session, flow)
    if job_id is not None:
        raise Conflict(
            f"Flow {flow.name!r} is being deleted by job {job_id}; wait until the job has ended, or cancel it."
        )


def deletion_of(session: Session, flow: Flow) -> UUID | None:
    """The job that deletes the flow, unless it has ended."""
    text = flow.settings.get(DELETION)
    job = None if text is None else read_jobs.get(session, UUID(text))
    return None if job is None or job.state not in read_jobs.OPEN else job.id


def _rename(session: Session, flow: Flow, name: str, actor: Actor, reason: str, now: datetime) -> None:
    if name == flow.name:
        return
    if mapped_flows.exists(session, flow.project_id, name):
        raise Conflict(f"The project has a flow named {name!r} already; choose another name.")
    before = flow.name
    former_names.release(session, FLOW, flow.project_id, name)
    former_names.record(session, FLOW, flow.project_id, before, flow.id, now)
    flow.name, flow.updated = name, now
    session.flush()
    announce(
        session, "flow", flow.id, "flow.renamed", {"from": before, "to": name, "reason": clean(reason)}, actor, now
    )


def _lock_project(session: Session, flow_id: UUID, request: EditFlow) -> Project | None:
    """The project without which the flow can't go on, locked before the flow: changes of projects lock in this order, too."""
    if request.archived is not False and request.paused is not False:
        return None
    flow = read_flows.get(session, flow_id)
    return None if flow is None else projects.lock(session, flow.project_id)


def _refuse_against_project(project: Project | None, request: EditFlow) -> None:
    """A flow goes on only together with its project."""
    if project is not None and project.archived and request.archived is False:
        raise Conflict(f"Project {project.name!r} is archived; take it out of the archive first.")
    if project is not None and project.paused and request.paused is False:
        raise Conflict(f"Project {project.name!r} is paused; resume it first.")
