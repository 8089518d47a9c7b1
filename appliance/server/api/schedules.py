"""REST: the schedules of flows."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from litestar import Router, delete, get, patch, post

from appliance.kit import clock
from appliance.protocol.message import Answer, Page
from appliance.protocol.run_filter import RunFilter
from appliance.protocol.schedules import (
    CreateSchedule,
    DueTime,
    EditSchedule,
    PreviewSchedule,
    ScheduleDeletion,
    SchedulePreview,
    SkipDueTime,
)
from appliance.schedules import ScheduleError, describe, parse
from appliance.server.actions import schedule_previews, skipped_times
from appliance.server.actions import schedules as actions
from appliance.server.actions.schedule_rows import edits_of, policy_of
from appliance.server.api import PREFIX
from appliance.server.api.bodies import decode
from appliance.server.api.views import ScheduleView
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import flows, pages, run_filter_names, schedules
from appliance.server.db.rows.schedules import ScheduleRow
from appliance.server.db.session import Database
from appliance.server.db.tables.schedules import Schedule
from appliance.server.domain.run_configs import for_people
from appliance.server.domain.scheduling import without
from appliance.server.errors import NotFound

_NEXT = 3


class SkipView(Answer, kw_only=True):
    """The due times from `first` to `last` that got no run."""

    first: datetime
    last: datetime
    count: int
    code: str
    reason: str
    at: datetime
    schedule_version: int


@get("/schedules", opt={"permission": Permission.READ, "items": ScheduleView}, sync_to_thread=True)
def index(
    database: Database,
    flow_id: UUID | None = None,
    flow: str | None = None,
    project: str | None = None,
    active: bool | None = None,
    limit: int | None = None,
    after: str | None = None,
) -> Page:
    """List schedules, oldest first: of all flows, of a flow (a name, or project/flow), or of a project; those that are on or off."""
    runs = RunFilter(flow_id=flow_id, flow=flow, project=project)
    with database.read() as session:
        run_filter_names.check(session, runs)
        page = schedules.page(session, pages.size(limit), after, runs, active)
        names = flows.names(session, {row.flow_id for row in page.rows})
        left_out = schedules.left_out(session, [row.id for row in page.rows], clock.now())
    items = [_view(row, *names[row.flow_id], left_out.get(row.id, {})) for row in page.rows if row.flow_id in names]
    return Page(items=items, next=page.next)


@post(
    "/flows/{flow_id:uuid}/schedules",
    opt={"permission": Permission.EDIT_SCHEDULE, "body": CreateSchedule},
    sync_to_thread=True,
)
def create(database: Database, actor: Actor, flow_id: UUID, body: bytes) -> ScheduleView:
    """Create a schedule."""
    request = decode(body, CreateSchedule)
    policy = policy_of(request)
    return _one(database, actions.create(database, actor, flow_id, request.document, request.parameters, policy=policy))


@post(
    "/flows/{flow_id:uuid}/schedules/preview",
    opt={"permission": Permission.READ, "body": PreviewSchedule},
    status_code=200,
    sync_to_thread=True,
)
def preview_schedule(database: Database, flow_id: UUID, body: bytes) -> SchedulePreview:
    """Preview the due times of a schedule that the flow might have, with what clock changes, a calendar and the overlap policy do."""
    return schedule_previews.of_document(database, flow_id, decode(body, PreviewSchedule))


@get("/schedules/{schedule_id:uuid}/next", opt={"permission": Permission.READ}, sync_to_thread=True)
def next_times(database: Database, schedule_id: UUID, limit: int = 10) -> SchedulePreview:
    """Get the next due times of a schedule, active or not, with what clock changes, its calendar and its overlap policy do."""
    return schedule_previews.of_schedule(database, schedule_id, limit)


@get("/schedules/{schedule_id:uuid}", opt={"permission": Permission.READ}, sync_to_thread=True)
def show(database: Database, schedule_id: UUID) -> ScheduleView:
    """Get a schedule."""
    with database.read() as session:
        row = schedules.get(session, schedule_id)
    if row is None:
        raise NotFound("There is no such schedule; it may have been deleted.")
    return _one(database, row)


@patch(
    "/schedules/{schedule_id:uuid}",
    opt={"permission": Permission.EDIT_SCHEDULE, "body": EditSchedule},
    sync_to_thread=True,
)
def edit(database: Database, actor: Actor, schedule_id: UUID, body: bytes) -> ScheduleView:
    """Change a schedule, or turn it on or off. Its future runs are updated too."""
    return _one(database, actions.change(database, actor, schedule_id, decode(body, EditSchedule)))


@delete("/schedules/{schedule_id:uuid}", opt={"permission": Permission.EDIT_SCHEDULE}, sync_to_thread=True)
def remove(database: Database, actor: Actor, schedule_id: UUID) -> None:
    """Delete a schedule and its future runs."""
    actions.delete(database, actor, schedule_id)


@post(
    "/schedules/{schedule_id:uuid}/skip",
    opt={"permission": Permission.EDIT_SCHEDULE, "body": SkipDueTime},
    status_code=200,
    sync_to_thread=True,
)
def skip(database: Database, actor: Actor, schedule_id: UUID, body: bytes) -> DueTime:
    """Skip one due time that is still to come, whose planned run is removed. The schedule stays as it is."""
    return skipped_times.skip(database, actor, schedule_id, decode(body, SkipDueTime))


@post(
    "/schedules/{schedule_id:uuid}/unskip",
    opt={"permission": Permission.EDIT_SCHEDULE, "body": SkipDueTime},
    status_code=200,
    sync_to_thread=True,
)
def unskip(database: Database, actor: Actor, schedule_id: UUID, body: bytes) -> DueTime:
    """Restore a due time that was skipped, or whose planned run was deleted. Its run is planned again."""
    return skipped_times.unskip(database, actor, schedule_id, decode(body, SkipDueTime))


@get("/schedules/{schedule_id:uuid}/deletion", opt={"permission": Permission.READ}, sync_to_thread=True)
def deletion(database: Database, schedule_id: UUID) -> ScheduleDeletion:
    """Preview what deleting the schedule would delete."""
    return actions.deletion(database, schedule_id)


@get("/schedules/{schedule_id:uuid}/skips", opt={"permission": Permission.READ, "items": SkipView}, sync_to_thread=True)
def skips(database: Database, schedule_id: UUID, limit: int | None = None, after: str | None = None) -> Page:
    """List due times that got no run, newest first, with the reason."""
    with database.read() as session:
        if schedules.get(session, schedule_id) is None:
            raise NotFound("There is no such schedule; it may have been deleted.")
        page = schedules.skips(session, schedule_id, pages.size(limit), after)
    items = [
        SkipView(
            first=row.first, last=row.last, count=row.count, code=row.code, reason=row.reason, at=row.at,
            schedule_version=row.version,
        )
        for row in page.rows
    ]  # fmt: skip
    return Page(items=items, next=page.next)


def _one(database: Database, row: ScheduleRow | Schedule) -> ScheduleView:
    with database.read() as session:
        names = flows.names(session, [row.flow_id])
        left_out = schedules.left_out(session, [row.id], clock.now())
    if row.flow_id not in names:
        raise NotFound("The schedule was deleted in the meantime, together with its flow.")
    return _view(row, *names[row.flow_id], left_out.get(row.id, {}))


def _view(row: ScheduleRow | Schedule, flow: str, project: str, left_out: Collection[datetime]) -> ScheduleView:
    try:
        times = without(parse(row.document), left_out).next(_NEXT, clock.now()) if row.active else []
    except ScheduleError:
        times = []  # a document from an older version that is no longer valid is listed, not hidden
    return ScheduleView(
        id=row.id,
        flow_id=row.flow_id,
        flow=flow,
        project=project,
        kind=row.kind,
        description=describe(row.document, with_zone=False),
        document=row.document,
        timezone=row.timezone,
        parameters=row.parameters,
        labels=row.labels,
        run_config=for_people(row.run_config),
        active=row.active,
        origin=row.origin,
        edits=edits_of(row),
        version=row.version,
        catch_up=row.catch_up,
        catch_up_cap=row.catch_up_cap,
        catch_up_window=row.catch_up_window,
        overlap=row.overlap,
        next_times=times,
    )


router = Router(
    PREFIX,
    route_handlers=[index, create, preview_schedule, show, edit, deletion, remove, next_times, skip, unskip, skips],
)
