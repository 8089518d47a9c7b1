"""REST: registering, reading, renaming, pausing, archiving and deleting flows."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from litestar import Router, delete, get, patch, post, put
from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.protocol.flow_history import FlowHistory, FlowTasks
from appliance.protocol.flows import (
    Registered,
    Registration,
    RegistrationPreview,
    RollBack,
    SetFlowDefaults,
    SetRunTimeout,
)
from appliance.protocol.jobs import JobView
from appliance.protocol.life_cycle import DeleteTree, DeletionPreview, EditFlow, VersionComparison
from appliance.protocol.message import Page
from appliance.server.actions import deletions, flow_edits, flow_history, rollbacks
from appliance.server.actions import flows as actions
from appliance.server.actions import jobs as job_actions
from appliance.server.actions.flow_defaults import set_defaults
from appliance.server.actions.run_timeouts import set_run_timeout
from appliance.server.api import PREFIX, jobs
from appliance.server.api.bodies import decode
from appliance.server.api.views import FlowView, VersionView, flow_defaults, flow_usage
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import flow_runs, flows, pages, run_filter_names
from appliance.server.db.rows.flows import FlowRow, VersionSummary
from appliance.server.db.session import Database
from appliance.server.domain.run_timeouts import run_timeout
from appliance.server.domain.version_comparison import compare
from appliance.server.errors import NotFound

BODY_LIMIT = 8 * 1024**2
"""Bytes of a registration. The largest graph that is allowed by default takes half of it."""


@post(
    "/",
    opt={"permission": Permission.REGISTER_FLOW, "body": Registration},
    request_max_body_size=BODY_LIMIT,
    sync_to_thread=True,
)
def register(database: Database, actor: Actor, body: bytes) -> Registered:
    """Register a flow's metadata. Registering the same content again creates no new version."""
    return actions.register(database, actor, decode(body, Registration))


@post(
    "/preview",
    opt={"permission": Permission.REGISTER_FLOW, "body": Registration},
    status_code=200,
    request_max_body_size=BODY_LIMIT,
    sync_to_thread=True,
)
def preview(database: Database, actor: Actor, body: bytes) -> RegistrationPreview:
    """Preview what registering would do: the version and the schedules. Nothing is changed."""
    return actions.preview(database, actor, decode(body, Registration))


@get("/", opt={"permission": Permission.READ, "items": FlowView}, sync_to_thread=True)
def index(
    database: Database,
    project: str | None = None,
    name: str | None = None,
    archived: bool = False,
    limit: int | None = None,
    after: str | None = None,
) -> Page:
    """List flows, sorted by name: those in use, or with `archived` those in the archive. `name` matches any part of a flow's name."""
    with database.read() as session:
        if project is not None:
            run_filter_names.check_project(session, project)
        page = flows.page(session, pages.size(limit), after, project, name, archived)
        return Page(items=_views(database, session, page.rows), next=page.next)


@get("/{flow_id:uuid}", opt={"permission": Permission.READ}, sync_to_thread=True)
def show(database: Database, flow_id: UUID) -> FlowView:
    """Get one flow with the parameters of its latest version."""
    return _one(database, flow_id)


@put(
    "/{flow_id:uuid}/run-timeout", opt={"permission": Permission.EDIT_LIMIT, "body": SetRunTimeout}, sync_to_thread=True
)
def put_run_timeout(database: Database, actor: Actor, flow_id: UUID, body: bytes) -> FlowView:
    """Set how long a run of the flow may take. One that takes longer is stopped and ends as TimedOut."""
    set_run_timeout(database, actor, flow_id, decode(body, SetRunTimeout).seconds)
    return _one(database, flow_id)


@put("/{flow_id:uuid}/defaults", opt={"permission": Permission.EDIT_FLOW, "body": SetFlowDefaults}, sync_to_thread=True)
def put_defaults(database: Database, actor: Actor, flow_id: UUID, body: bytes) -> FlowView:
    """Replace what new runs of the flow have beside what its code says: parameters, labels, and the run config."""
    return _one(database, set_defaults(database, actor, flow_id, decode(body, SetFlowDefaults)))


@get(
    "/{flow_id:uuid}/versions/{before:int}/compare/{number:int}",
    opt={"permission": Permission.READ},
    sync_to_thread=True,
)
def comparison(database: Database, flow_id: UUID, before: int, number: int) -> VersionComparison:
    """Compare two versions of a flow: what was added, removed and changed from the first to the second."""
    with database.read() as session:
        old, new = flows.version(session, flow_id, before), flows.version(session, flow_id, number)
        return VersionComparison(flow_id=flow_id, before=before, after=number, parts=compare(old, new))


@post("/{flow_id:uuid}/rollback", opt={"permission": Permission.REGISTER_FLOW, "body": RollBack}, sync_to_thread=True)
def roll_back(database: Database, actor: Actor, flow_id: UUID, body: bytes) -> Registered:
    """Roll a flow back: a copy of an earlier version becomes its newest one. Scheduled runs follow; runs in progress keep theirs."""
    return rollbacks.roll_back(database, actor, flow_id, decode(body, RollBack))


@post(
    "/{flow_id:uuid}/rollback/preview",
    opt={"permission": Permission.REGISTER_FLOW, "body": RollBack},
    status_code=200,
    sync_to_thread=True,
)
def preview_rollback(database: Database, actor: Actor, flow_id: UUID, body: bytes) -> RegistrationPreview:
    """Preview what a rollback would do: the version, its changes and the schedules. Nothing is changed."""
    return rollbacks.preview(database, actor, flow_id, decode(body, RollBack))


@get("/{flow_id:uuid}/history", opt={"permission": Permission.READ}, sync_to_thread=True)
def history(database: Database, flow_id: UUID) -> FlowHistory:
    """Get how long the last runs of a flow took, and the causes of those that failed, the most frequent first."""
    with database.read() as session:
        return flow_history.history(session, flow_id, clock.now())


@get("/{flow_id:uuid}/tasks", opt={"permission": Permission.READ}, sync_to_thread=True)
def tasks(database: Database, flow_id: UUID) -> FlowTasks:
    """Get what each task took in the last runs of a flow, how often it failed, and its share of the critical path."""
    with database.read() as session:
        return flow_history.tasks(session, flow_id, clock.now())


@patch("/{flow_id:uuid}", opt={"permission": Permission.EDIT_FLOW, "body": EditFlow}, sync_to_thread=True)
def edit(database: Database, actor: Actor, flow_id: UUID, body: bytes) -> FlowView:
    """Rename, pause, resume, archive, or unarchive a flow."""
    return _one(database, flow_edits.edit(database, actor, flow_id, decode(body, EditFlow)))


@get("/{flow_id:uuid}/deletion", opt={"permission": Permission.READ}, sync_to_thread=True)
def deletion(database: Database, flow_id: UUID) -> DeletionPreview:
    """Preview what deleting the flow would delete."""
    return deletions.preview(database, "flow", flow_id)


@delete(
    "/{flow_id:uuid}",
    opt={"permission": Permission.DELETE_FLOW, "body": DeleteTree},
    status_code=202,
    sync_to_thread=True,
)
def remove(database: Database, actor: Actor, flow_id: UUID, body: bytes) -> JobView:
    """Delete a flow with its runs, versions and schedules, as a job. Agents remove the results in their folders; others stay."""
    return jobs.one(database, job_actions.delete(database, actor, "flow", flow_id, decode(body, DeleteTree)))


def _one(database: Database, flow_id: UUID) -> FlowView:
    with database.read() as session:
        row = flows.get(session, flow_id)
        views = [] if row is None else _views(database, session, [row])
        if not views:
            raise NotFound("There is no such flow; it may have been deleted.")
        views[0].usage = flow_usage(session, flow_id, clock.now())
    return views[0]


@get("/{flow_id:uuid}/versions", opt={"permission": Permission.READ, "items": VersionView}, sync_to_thread=True)
def versions(database: Database, flow_id: UUID, limit: int | None = None, after: str | None = None) -> Page:
    """List a flow's versions, newest first, with what changed and which older version each restores."""
    with database.read() as session:
        if flows.get(session, flow_id) is None:
            raise NotFound("There is no such flow; it may have been deleted.")
        page = flows.version_page(session, flow_id, pages.size(limit), after)
        open_runs = flow_runs.open_counts_by_version(session, flow_id)
        return Page(items=[_version(row, open_runs.get(row.id, 0)) for row in page.rows], next=page.next)


def _version(row: VersionSummary, open_runs: int) -> VersionView:
    return VersionView(
        id=row.id,
        number=row.number,
        restores=row.restores,
        changes=row.changes or [],
        labels=row.labels,
        sdk_version=row.sdk_version,
        created=row.created,
        created_by=row.created_by,
        image=row.image,
        image_id=row.image_id,
        open_runs=open_runs,
    )


def _views(database: Database, session: Session, rows: Sequence[FlowRow]) -> list[FlowView]:
    ids = [row.id for row in rows]
    names = flows.names(session, ids)
    latest = {row.flow_id: row for row in flows.newest_versions(session, ids)}
    timeouts = {
        row.id: run_timeout(
            row.settings, latest[row.id].run_config if row.id in latest else {}, database.rules.run_timeout
        )
        for row in rows
    }
    return [
        FlowView(
            id=row.id,
            name=row.name,
            project=names[row.id][1],
            paused=row.paused,
            archived=row.archived,
            owner=row.owner,
            created=row.created,
            version=latest[row.id].number if row.id in latest else 0,
            parameters=latest[row.id].parameters if row.id in latest else [],
            run_timeout=timeouts[row.id].seconds,
            run_timeout_source=timeouts[row.id].source,
            defaults=flow_defaults(row.overrides),
        )
        for row in rows
        if row.id in names
    ]


router = Router(
    f"{PREFIX}/flows",
    route_handlers=[
        register,
        preview,
        index,
        show,
        put_run_timeout,
        put_defaults,
        edit,
        deletion,
        remove,
        versions,
        comparison,
        roll_back,
        preview_rollback,
        history,
        tasks,
    ],
)
