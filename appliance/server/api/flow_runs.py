"""REST: flow runs: created, listed, read, and all that people do with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Router, delete, get, patch, post
from litestar.params import Parameter
from litestar.response import Stream
from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.protocol.flow_runs import (
    ChangeFlowRun,
    CreateFlowRun,
    EditFlowRun,
    FlowRunView,
    MarkFlowRun,
    RestartFlowRun,
    ResumeFlowRun,
)
from appliance.protocol.logs import LogView
from appliance.protocol.message import Page
from appliance.protocol.states import StateView
from appliance.protocol.task_runs import TaskRunView
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.actions.flow_runs.change import ChangeRequest
from appliance.server.actions.flow_runs.create import create_run
from appliance.server.actions.flow_runs.delete import delete_run
from appliance.server.actions.flow_runs.edit import Edit, edit_run
from appliance.server.actions.flow_runs.mark import mark_run, mark_task
from appliance.server.actions.flow_runs.pause import pause_run
from appliance.server.actions.flow_runs.restart import Restart, restart_run
from appliance.server.actions.flow_runs.resume import resume_run
from appliance.server.actions.flow_runs.start_now import start_run_now
from appliance.server.api import turns, views
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import flow_runs, logs, pages, run_lists, states, task_runs
from appliance.server.db.session import Database
from appliance.server.errors import NotFound


@turns.post("/", permission=Permission.CREATE_RUN, body=CreateFlowRun, status_code=201)
def create(request: Request[Actor, Any, Any], body: bytes) -> FlowRunView:
    """Create a run of a flow's newest version. Why it waits is told when it is read."""
    database: Database = request.app.state["database"]  # not injected: that costs a task group, and this is a hot path
    made = create_run(database, request.user, decode(body, CreateFlowRun))
    if made.row is not None:
        return views.new_flow_run(made.row, made.flow, made.project)
    return _one(database, made.id)


@get("/", opt={"permission": Permission.READ, "items": FlowRunView}, sync_to_thread=True)
def index(
    database: Database,
    flow: str | None = None,
    project: str | None = None,
    state_given: Annotated[str | None, Parameter(query="state")] = None,
    limit: int | None = None,
    after: str | None = None,
    include_future: bool = False,
) -> Page:
    """Runs, newest first. `state` is a state's name or type."""
    by_type = (state_given,) if state_given is not None and state_given.isupper() else ()
    by_name = (state_given,) if state_given is not None and not state_given.isupper() else ()
    wanted = flow_runs.FlowRunFilter(
        state_types=by_type, state_names=by_name, flow=flow, project=project, include_future=include_future
    )
    with database.read() as session:
        page = run_lists.page(session, wanted, pages.size(limit), after, clock.now())
        return Page(items=views.flow_runs(session, page.rows), next=page.next)


@get("/{run_id:uuid}", opt={"permission": Permission.READ}, sync_to_thread=True)
def show(database: Database, run_id: UUID) -> FlowRunView:
    """One run."""
    return _one(database, run_id)


@post(
    "/{run_id:uuid}/cancel",
    opt={"permission": Permission.CANCEL_RUN, "body": ChangeFlowRun},
    status_code=200,
    sync_to_thread=True,
)
def cancel(database: Database, actor: Actor, run_id: UUID, body: bytes) -> FlowRunView:
    """Cancel a run; cancelling it again changes nothing."""
    asked = _asked(decode(body, ChangeFlowRun))
    cancel_run(database, actor, run_id, asked.reason, idempotency_key=asked.idempotency_key)
    return _one(database, run_id)


@post(
    "/{run_id:uuid}/pause",
    opt={"permission": Permission.PAUSE_RUN, "body": ChangeFlowRun},
    status_code=200,
    sync_to_thread=True,
)
def pause(database: Database, actor: Actor, run_id: UUID, body: bytes) -> FlowRunView:
    """Hold a scheduled run until someone resumes it."""
    pause_run(database, actor, run_id, _asked(decode(body, ChangeFlowRun)))
    return _one(database, run_id)


@post(
    "/{run_id:uuid}/resume",
    opt={"permission": Permission.RESUME_RUN, "body": ResumeFlowRun},
    status_code=200,
    sync_to_thread=True,
)
def resume(database: Database, actor: Actor, run_id: UUID, body: bytes) -> FlowRunView:
    """Let a paused run go on, with all of its paused tasks or with the one that is named."""
    wanted = decode(body, ResumeFlowRun)
    slug, index = wanted.task_slug, wanted.map_index
    resume_run(database, actor, run_id, _asked(wanted), task_slug=slug, map_index=index)
    return _one(database, run_id)


@post(
    "/{run_id:uuid}/restart",
    opt={"permission": Permission.RESTART_RUN, "body": RestartFlowRun},
    status_code=200,
    sync_to_thread=True,
)
def restart(database: Database, actor: Actor, run_id: UUID, body: bytes) -> FlowRunView:
    """Run again what did not succeed of a run that has ended, the task that is named, and all that comes after them."""
    wanted = decode(body, RestartFlowRun)
    how = Restart(wanted.newest_version, wanted.from_task, wanted.parameters)
    restart_run(database, actor, run_id, _asked(wanted), how)
    return _one(database, run_id)


@post(
    "/{run_id:uuid}/mark",
    opt={"permission": Permission.MARK_RUN, "body": MarkFlowRun},
    status_code=200,
    sync_to_thread=True,
)
def mark(database: Database, actor: Actor, run_id: UUID, body: bytes) -> FlowRunView:
    """Set how a run that is not live has ended, or one of its task runs."""
    wanted = decode(body, MarkFlowRun)
    if wanted.task_slug is None:
        mark_run(database, actor, run_id, wanted.state, _asked(wanted))
    else:
        slug, index = wanted.task_slug, wanted.map_index
        mark_task(database, actor, run_id, slug, index, wanted.state, _asked(wanted))
    return _one(database, run_id)


@post(
    "/{run_id:uuid}/start-now",
    opt={"permission": Permission.EDIT_RUN, "body": ChangeFlowRun},
    status_code=200,
    sync_to_thread=True,
)
def start_now(database: Database, actor: Actor, run_id: UUID, body: bytes) -> FlowRunView:
    """Let a scheduled run be due now."""
    start_run_now(database, actor, run_id, _asked(decode(body, ChangeFlowRun)))
    return _one(database, run_id)


@patch("/{run_id:uuid}", opt={"permission": Permission.EDIT_RUN, "body": EditFlowRun}, sync_to_thread=True)
def edit(database: Database, actor: Actor, run_id: UUID, body: bytes) -> FlowRunView:
    """Change name, labels, priority or time of a run that has not started."""
    wanted = decode(body, EditFlowRun)
    changes = Edit(wanted.name, wanted.labels, wanted.priority, wanted.scheduled_time)
    edit_run(database, actor, run_id, changes, _asked(wanted))
    return _one(database, run_id)


@delete("/{run_id:uuid}", opt={"permission": Permission.DELETE_RUN, "body": ChangeFlowRun}, sync_to_thread=True)
def remove(database: Database, actor: Actor, run_id: UUID, body: bytes) -> None:
    """Delete a run that has ended or waits for its time, with its task runs, states and logs."""
    delete_run(database, actor, run_id, _asked(decode(body, ChangeFlowRun)))


@get("/{run_id:uuid}/states", opt={"permission": Permission.READ, "items": StateView}, sync_to_thread=True)
def history(database: Database, run_id: UUID) -> Page:
    """The run's states, oldest first."""
    with database.read() as session:
        _require(session, run_id)
        return Page(items=[views.state(row) for row in states.of_flow_run(session, run_id)])


@get("/{run_id:uuid}/task-runs", opt={"permission": Permission.READ, "items": TaskRunView}, sync_to_thread=True)
def tasks(database: Database, run_id: UUID, limit: int | None = None, after: str | None = None) -> Page:
    """The run's task runs, by task and map index."""
    with database.read() as session:
        _require(session, run_id)
        page = task_runs.page(session, run_id, pages.size(limit), after)
        return Page(items=[views.task_run(row) for row in page.rows], next=page.next)


@get("/{run_id:uuid}/logs", opt={"permission": Permission.READ, "items": LogView}, sync_to_thread=True)
def log_page(
    database: Database, run_id: UUID, limit: int | None = None, after: str | None = None, level: str | None = None
) -> Page:
    """Log lines, oldest first. `next` stays usable at the end: ask again with it for lines that come later."""
    wanted = logs.LogFilter(min_level=views.level_number(level))
    with database.read() as session:
        _require(session, run_id)
        page, _previous = logs.page(session, run_id, wanted, pages.size(limit), after, None)
        return Page(items=[views.log(row) for row in page.rows], next=page.next)


@get("/{run_id:uuid}/logs/download", opt={"permission": Permission.READ}, sync_to_thread=True)
def download(database: Database, run_id: UUID) -> Stream:
    """All log lines as text."""
    with database.read() as session:
        _require(session, run_id)
    headers = {"Content-Disposition": f'attachment; filename="flow-run-{run_id}.log"'}
    return Stream(_text(database, run_id), media_type="text/plain; charset=utf-8", headers=headers)


def _asked(change: ChangeFlowRun) -> ChangeRequest:
    return ChangeRequest(change.reason, change.idempotency_key, change.version)


def _text(database: Database, run_id: UUID) -> Iterator[bytes]:
    with database.read() as session:
        for rows in logs.lines(session, run_id):
            yield "".join(_line(row) for row in rows).encode("utf-8", "replace")


def _line(row: Any) -> str:
    task = "" if row.task_slug is None else f" {row.task_slug}" + (f"[{row.map_index}]" if row.map_index >= 0 else "")
    return f"{clock.isoformat(row.at)} {views.level_name(row.level)} {row.logger}{task}: {row.message}\n"


def _require(session: Session, run_id: UUID) -> Any:
    row = flow_runs.get(session, run_id)
    if row is None:
        raise NotFound("There is no such run; it may have been deleted.")
    return row


def _one(database: Database, run_id: UUID) -> FlowRunView:
    with database.read() as session:
        return views.flow_runs(session, [_require(session, run_id)])[0]


_CHANGES = [create, cancel, pause, resume, restart, mark, start_now, edit, remove]
router = Router("/flow-runs", route_handlers=[*_CHANGES, index, show, history, tasks, log_page, download])
