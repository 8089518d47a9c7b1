"""REST: flow runs: creating, listing and reading them, and every action on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Router, delete, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from litestar.response import Stream
from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.kit.printable import entry, one_line
from appliance.protocol.continuation import Continuation
from appliance.protocol.flow_runs import CreateFlowRun, FlowRunView, RestartFlowRun, ResumeFlowRun
from appliance.protocol.logs import LogView
from appliance.protocol.message import Page
from appliance.protocol.run_filter import RunFilter
from appliance.protocol.states import StateView
from appliance.protocol.task_runs import TaskGroupView, TaskRunView
from appliance.protocol.verbs import VERBS, Verb
from appliance.server.actions import continuation
from appliance.server.actions.flow_runs.create import create_run
from appliance.server.actions.flow_runs.perform import perform
from appliance.server.api import PREFIX, run_csv, run_filters, turns, views
from appliance.server.api.bodies import decode
from appliance.server.api.gate import request_credentials, still_allowed
from appliance.server.auth.callers import RequestCredentials
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import (
    attempt_usage,
    child_runs,
    flow_runs,
    logs,
    pages,
    run_configs,
    run_filter_names,
    states,
    task_groups,
    task_runs,
    waiting_runs,
)
from appliance.server.db.rows.flow_runs import FlowRunRow
from appliance.server.db.rows.logs import LogRow
from appliance.server.db.session import Database
from appliance.server.errors import DamagedRow, NotFound, Unauthenticated


@turns.post("/", permission=Permission.CREATE_RUN, body=CreateFlowRun, status_code=201)
def create(request: Request[Actor, Any, Any], body: bytes) -> FlowRunView:
    """Create a run of a flow's latest version. The response omits the wait reason; read the run to get it."""
    database: Database = request.app.state["database"]  # not injected: that costs a task group, and this path is hot
    run = create_run(database, request.user, decode(body, CreateFlowRun))
    if run.row is not None:
        return views.new_flow_run(run.row, run.flow, run.project, run.warnings)
    return one(database, run.id)


@get("/", opt={"permission": Permission.READ, "items": FlowRunView}, sync_to_thread=True)
def index(
    database: Database,
    q: str | None = None,
    flow_id: UUID | None = None,
    flow: str | None = None,
    project: str | None = None,
    states: Annotated[list[str] | None, Parameter(query="state")] = None,
    name: str | None = None,
    text: str | None = None,
    since: str | None = None,
    until: str | None = None,
    labels: Annotated[list[str] | None, Parameter(query="label")] = None,
    parameters: Annotated[list[str] | None, Parameter(query="parameter")] = None,
    longer_than: str | None = None,
    shorter_than: str | None = None,
    parent: UUID | None = None,
    include_future: bool = False,
    sort: str | None = None,
    limit: int | None = None,
    after: str | None = None,
) -> Page:
    """List runs, by default newest first. `state` is a state's name or type, `flow` a name or project/flow, `name` the whole name of runs,
    and `text` a part of it or of the flow's. `since` and `until` are due times, or lengths of time before now, such as 7d. `parameter` is
    name=value. `state`, `label`, and `parameter` are repeatable. `longer_than` and `shorter_than` are lengths of time, such as 90 (seconds)
    or 10m. `parent` is the ID of the run whose tasks have started them. `sort` is scheduled_time, start_time, or end_time, with a minus before it for newest first, or waiting. `q` is a filter as one text, such as
    `state:failed flow:etl-* since:7d`; only flow_id and types of states narrow it further."""
    filter = RunFilter(
        q=q,
        states=states or [],
        flow_id=flow_id,
        flow=flow,
        project=project,
        name=name,
        text=text,
        labels=labels or [],
        parent=parent,
        include_future=include_future,
        **run_filters.conditions(since, until, longer_than, shorter_than, parameters),
    )
    with database.read() as session:
        chosen = waiting_runs.ordered(session, filter, clock.now(), run_filters.sort_of(sort))
        page = chosen.page(pages.size(limit), after)
        return Page(items=views.flow_runs(session, page.rows), next=page.next)


@get("/{run_id:uuid}", opt={"permission": Permission.READ}, sync_to_thread=True)
def show(database: Database, run_id: UUID) -> FlowRunView:
    """Get one run."""
    return one(database, run_id)


@get("/{run_id:uuid}/continuation", opt={"permission": Permission.READ}, sync_to_thread=True)
def how_it_goes_on(
    database: Database,
    run_id: UUID,
    from_task: str | None = None,
    newest_version: bool = False,
    anywhere: bool = False,
    task_slug: str | None = None,
    map_index: int | None = None,
) -> Continuation:
    """Preview which tasks run again, which are reused, and why: if a run that has ended is restarted, if a paused one is resumed, or when one that
    waits for its next attempt goes on. The parameters are fields of these requests."""
    return continuation.preview(
        database,
        run_id,
        RestartFlowRun(from_task=from_task, newest_version=newest_version, anywhere=anywhere),
        ResumeFlowRun(task_slug=task_slug, map_index=map_index, anywhere=anywhere),
    )


@get("/{run_id:uuid}/states", opt={"permission": Permission.READ, "items": StateView}, sync_to_thread=True)
def history(database: Database, run_id: UUID, limit: int | None = None, after: str | None = None) -> Page:
    """List the run's states, oldest first."""
    with database.read() as session:
        _require(session, run_id)
        page = states.page(session, run_id, states.MOST if limit is None else pages.size(limit), after)
        return Page(items=[views.state(row) for row in page.rows], next=page.next)


@get("/{run_id:uuid}/task-runs", opt={"permission": Permission.READ, "items": TaskRunView}, sync_to_thread=True)
def tasks(
    database: Database,
    run_id: UUID,
    states: Annotated[list[str] | None, Parameter(query="state")] = None,
    task: str | None = None,
    map_index: int | None = None,
    limit: int | None = None,
    after: str | None = None,
    offset: int | None = None,
    sort: str = "index",
) -> Page:
    """List the run's task runs, by task and map index. `state` is a state's name or type (repeatable), and `task` a slug. `offset` starts
    further on; `sort=worst_first` lists failures first, and what went well last, without a `next`."""
    with database.read() as session:
        _require(session, run_id)
        run_filter_names.check_tasks(session, run_id, states or (), task)
        criteria = task_runs.TaskFilter(tuple(states or ()), task, map_index)
        page = task_runs.listed(session, run_id, pages.size(limit), criteria, after, offset, sort)
        children = child_runs.of_tasks(session, [(run_id, row.task_slug, row.map_index) for row in page.rows])
        items = [views.task_run(row, children.get((run_id, row.task_slug, row.map_index))) for row in page.rows]
        return Page(items=items, next=page.next)


@get("/{run_id:uuid}/task-groups", opt={"permission": Permission.READ, "items": TaskGroupView}, sync_to_thread=True)
def groups(database: Database, run_id: UUID, limit: int | None = None, after: str | None = None) -> Page:
    """List the run's tasks by slug. A mapped task is one item, with the number of its children in each state and the first of each."""
    with database.read() as session:
        _require(session, run_id)
        page = task_groups.page(session, run_id, pages.size(limit), after)
        return Page(items=[views.task_group(group) for group in page.groups], next=page.next)


@get("/{run_id:uuid}/logs", opt={"permission": Permission.READ, "items": LogView}, sync_to_thread=True)
def log_page(
    database: Database,
    run_id: UUID,
    limit: int | None = None,
    after: str | None = None,
    level: str | None = None,
    stream: str | None = None,
) -> Page:
    """List log lines, oldest first: those of a level or higher, or of what was written to `stream`, stdout or stderr. `next` is set
    on the last page too: use it to fetch lines that arrive later."""
    filter = logs.LogFilter(min_level=views.level_number(level), stream=views.stream(stream))
    with database.read() as session:
        _require(session, run_id)
        page, _previous = logs.page(session, run_id, filter, pages.size(limit), after, None)
        return Page(items=[views.log(row) for row in page.rows], next=page.next)


@get("/{run_id:uuid}/logs/download", opt={"permission": Permission.READ}, sync_to_thread=True)
def download(request: Request[Actor, Any, Any], database: Database, run_id: UUID) -> Stream:
    """Download all log lines as text."""
    with database.read() as session:
        _require(session, run_id)
    headers = {"Content-Disposition": f'attachment; filename="flow-run-{run_id}.log"'}
    credentials = request_credentials(request, Permission.READ)
    return Stream(log_text(database, credentials, run_id), media_type="text/plain", headers=headers)


def log_text(database: Database, credentials: RequestCredentials, run_id: UUID) -> Iterator[bytes]:
    """The lines of a run as they are downloaded. Raises Unauthenticated, which cuts them off, if the reader has lost access meanwhile."""
    last, checked = 0, clock.monotonic()
    while True:
        if clock.monotonic() - checked >= run_csv.CHECKED_EVERY:
            checked = clock.monotonic()
            if not still_allowed(database, credentials, Permission.READ, clock.now()):
                raise Unauthenticated("The download was ended: you no longer have access.")
        with database.read() as session:  # for each chunk: a slow reader must not hold a snapshot
            rows = logs.chunk(session, run_id, last)
            text = "".join(_line(row) for row in rows)
            last = rows[-1].id if rows else last
        if not rows:
            return
        yield text.encode("utf-8", "replace")


def _line(row: LogRow) -> str:
    task = (
        ""
        if row.task_slug is None
        else f" {one_line(row.task_slug)}" + (f"[{row.map_index}]" if row.map_index >= 0 else "")
    )
    return (
        f"{clock.isoformat(row.at)} {views.level_name(row.level)} {one_line(row.logger)}{task}: {entry(row.message)}\n"
    )


def _require(session: Session, run_id: UUID) -> FlowRunRow:
    row = flow_runs.get(session, run_id)
    if row is None:
        raise NotFound("There is no such run; it may have been deleted.")
    return row


def one(database: Database, run_id: UUID) -> FlowRunView:
    """A run as it is now. Raises NotFound, and DamagedRow if its flow is set aside."""
    with database.read() as session:
        whole = views.flow_runs(session, [_require(session, run_id)])
        start = run_configs.starts(session, [run_id]).get(run_id)
        used = attempt_usage.of_attempts(session, [run_id]).get(run_id, [])
        children = child_runs.counts(session, [run_id]).get(run_id, {})
    if not whole:
        raise DamagedRow(
            "The flow of this run holds a damaged value; `appliance doctor rows` says which.", fault="no flow"
        )
    whole[0].children = children
    whole[0].attempts = list(map(views.attempt_usage, used))
    return whole[0] if start is None else views.started(whole[0], start.run_config, start.overrides)


def _verb_route(verb: Verb) -> HTTPRouteHandler:
    """The route for one verb, as the table declares it."""

    def change(database: Database, actor: Actor, run_id: UUID, body: bytes) -> FlowRunView:
        perform(database, actor, run_id, verb.name, decode(body, verb.request))
        return one(database, run_id)

    def remove(database: Database, actor: Actor, run_id: UUID, body: bytes) -> None:
        perform(database, actor, run_id, verb.name, decode(body, verb.request))

    address, opt = "/{run_id:uuid}" + verb.route, {"permission": Permission(verb.permission), "body": verb.request}
    for handler in (change, remove):
        handler.__name__, handler.__doc__ = verb.name, verb.summary
    match verb.method:
        case "PATCH":
            return patch(address, opt=opt, sync_to_thread=True)(change)
        case "DELETE":
            return delete(address, opt=opt, sync_to_thread=True)(remove)
        case _:
            return post(address, opt=opt, status_code=200, sync_to_thread=True)(change)


_VERBS = [_verb_route(verb) for verb in VERBS.values()]
router = Router(
    f"{PREFIX}/flow-runs",
    route_handlers=[
        create,
        *_VERBS,
        index,
        run_csv.table,
        show,
        how_it_goes_on,
        history,
        tasks,
        groups,
        log_page,
        download,
    ],
)
