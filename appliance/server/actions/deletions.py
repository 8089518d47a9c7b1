"""Deleting a flow, or a project with all its flows: previewed, begun in one transaction, and carried out by a job in many.

What is deleted is archived first, so that nothing of it starts meanwhile. Results are where only runs and agents can reach them: agents remove
those in their own folders later, and others stay.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit.documents import JsonDocument
from appliance.protocol.flow_runs import ChangeFlowRun
from appliance.protocol.life_cycle import DeleteTree, DeletionPreview
from appliance.server.actions import flow_edits, projects
from appliance.server.actions.flow_runs import cancel
from appliance.server.actions.flow_runs.change import within
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import deletions as reads
from appliance.server.db.reads import flows as read_flows
from appliance.server.db.reads import jobs as read_jobs
from appliance.server.db.reads import projects as read_projects
from appliance.server.db.rows.jobs import JobColumns, JobRow
from appliance.server.db.session import Database
from appliance.server.db.tables.flows import Flow
from appliance.server.db.writes import artifacts, flows, kept_results
from appliance.server.db.writes import deletions as writes
from appliance.server.db.writes import projects as write_projects
from appliance.server.errors import Conflict, NotFound
from appliance.server.events.outbox import announce

Noun = Literal["flow", "project"]
KINDS = {"delete_flow": "flow", "delete_project": "project"}
"""The kinds of job that delete, with what."""
_MOST_ROWS = 2_000
_RUNS_AT_ONCE = 50


def preview(db: Database, noun: Noun, id: UUID) -> DeletionPreview:
    """How much would be deleted."""
    with db.read() as session:
        flow, project_id = None, id
        if noun == "flow":
            rows = read_flows.by_ids(session, [id])
            if not rows:
                raise NotFound("There is no such flow; it may have been deleted.")
            flow, project_id = rows[0].name, rows[0].project_id
        project = read_projects.by_ids(session, [project_id])
        if not project:
            raise NotFound("There is no such project; it may have been deleted.")
        ids = [id] if noun == "flow" else reads.flow_ids(session, id)
        numbers = reads.numbers(session, ids)
    return DeletionPreview(project=project[0].name, flow=flow, flows=len(ids), **numbers)


def begin(
    session: Session, noun: Noun, id: UUID, request: DeleteTree, job_id: UUID, actor: Actor, now: datetime, ahead: int
) -> tuple[UUID, int, str]:
    """Archive what is to be deleted and mark its flows. Returns the job: this one, or the one that deletes it already; how many runs there
    are; and its name. Raises Conflict while runs are in progress, unless they are to be cancelled."""
    if noun == "flow":
        flow = flow_edits.require(flows.lock(session, id))
        targets, name, what = [flow], flow.name, f"Flow {flow.name!r}"
    else:
        project = projects.require(write_projects.lock(session, id))
        targets, name, what = flows.lock_of_project(session, id), project.name, f"Project {project.name!r}"
    if existing := _existing(session, noun, what, targets):
        return existing, 0, name
    ids = [flow.id for flow in targets]
    live = reads.live_runs(session, ids)
    if live and not request.cancel_runs:
        runs = "a run" if live == 1 else f"{live} runs"
        raise Conflict(
            f"{what} has {runs} in progress; wait for the end, or delete with cancel_runs (--cancel-runs) to cancel."
        )
    for flow in targets:
        flow_edits.stop_or_start(session, flow, actor, request.reason, now, ahead, archived=True)
        flow.settings = flow.settings | {flow_edits.DELETION: str(job_id)}
    if noun == "project":
        project.archived = True
    session.flush()
    return job_id, reads.runs(session, ids), name


def _existing(session: Session, noun: Noun, what: str, targets: list[Flow]) -> UUID | None:
    """The job that deletes the same already. Raises Conflict while another one deletes a part of it."""
    for flow in targets:
        job_id = flow_edits.deletion_of(session, flow)
        job = None if job_id is None else read_jobs.get(session, job_id)
        if job is None:
            continue
        if KINDS[job.kind] != noun:
            raise Conflict(f"{what} is being deleted in part by job {job.id}; wait until the job has ended.")
        return job.id
    return None


def step(session: Session, job: JobRow, now: datetime) -> JobColumns:
    """Delete the next part; the columns of the job that change, none when it has to wait for runs to end."""
    if KINDS[job.kind] == "flow":
        flow = flows.lock(session, UUID(job.request["id"]))
        return _done(job) if flow is None else _flow_step(session, flow, job, now, last=True)
    project_id = UUID(job.request["id"])
    ids = reads.flow_ids(session, project_id)
    flow = flows.lock(session, ids[0]) if ids else None
    if flow is not None:
        return _flow_step(session, flow, job, now, last=False)
    if write_projects.lock(session, project_id) is not None:
        if kept_results.remove_some_of_project(session, project_id):
            return {"state": "running", "message": ""}
        writes.project(session, project_id)
        announce(session, "project", project_id, "project.deleted", {"name": job.request["name"]}, _actor(job), now)
    return _done(job)


def _flow_step(session: Session, flow: Flow, job: JobRow, now: datetime, *, last: bool) -> JobColumns:
    if job.request["cancel_runs"] and (live := reads.to_cancel(session, flow.id, _RUNS_AT_ONCE)):
        request = ChangeFlowRun(reason=f"Flow {flow.name!r} is being deleted.")
        for run in live:
            with suppress(Conflict):  # it has just ended
                within(session, run, now, cancel.change(_actor(job), request))
        return {"state": "running", "message": "Cancelling the runs in progress."}
    runs = writes.some_runs(session, flow.id, _MOST_ROWS, now)
    if runs or (reads.has_runs(session, flow.id) and not reads.live_runs(session, [flow.id])):
        return {"state": "running", "done": job.done + runs, "message": ""}
    if live_runs := reads.live_runs(session, [flow.id]):
        waiting = f"Waiting for {'a run' if live_runs == 1 else f'{live_runs} runs'} in progress to end."
        return {} if job.message == waiting else {"state": "running", "message": waiting}
    if artifacts.remove_some_of_flow(session, flow.id, now):
        return {"state": "running", "message": ""}
    name = flow.name
    session.expunge(flow)
    writes.flow(session, flow.id)
    announce(session, "flow", flow.id, "flow.deleted", {"name": name}, _actor(job), now)
    return _done(job) if last else {"state": "running", "message": ""}


def _done(job: JobRow) -> JobColumns:
    return {"state": "done", "message": "Agents remove the results in their folders; those stored elsewhere stay."}


def document(id: UUID, request: DeleteTree) -> JsonDocument:
    """The request as the job stores it."""
    return {"id": str(id), "cancel_runs": request.cancel_runs, "reason": request.reason}


def _actor(job: JobRow) -> Actor:
    return Actor("user", job.created_by)
