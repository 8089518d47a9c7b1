"""REST: the schedules of flows."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from litestar import Router, delete, get, patch, post

from appliance.kit import clock
from appliance.kit.documents import JsonDocument, Parameters
from appliance.protocol.message import Answer, Message, Page
from appliance.schedules import ScheduleError, describe, parse
from appliance.server.actions import schedules as actions
from appliance.server.api.bodies import decode
from appliance.server.api.views import ScheduleView
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import flows, pages, schedules
from appliance.server.db.rows.schedules import ScheduleRow
from appliance.server.db.session import Database
from appliance.server.db.tables.schedules import Schedule
from appliance.server.errors import Invalid, NotFound

_NEXT = 3


class PolicyFields(Message, kw_only=True):
    """`catch_up` is all, latest or none; `overlap` is allow, queue, skip or cancel. The window is in seconds; 0 removes it."""

    catch_up: str | None = None
    catch_up_cap: int | None = None
    catch_up_window: float | None = None
    overlap: str | None = None

    def policy(self) -> actions.Policy:
        return actions.Policy(self.catch_up, self.catch_up_cap, self.catch_up_window, self.overlap)


class CreateSchedule(PolicyFields, kw_only=True):
    document: JsonDocument
    parameters: Parameters = {}


class EditSchedule(PolicyFields, kw_only=True):
    active: bool | None = None
    document: JsonDocument | None = None
    parameters: Parameters | None = None


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
def index(database: Database, flow_id: UUID | None = None, limit: int | None = None, after: str | None = None) -> Page:
    """List the schedules of one flow or of all flows, oldest first."""
    with database.read() as session:
        page = schedules.page(session, pages.size(limit), after, flow_id)
        names = flows.names(session, {row.flow_id for row in page.rows})
    return Page(items=[_view(row, *names[row.flow_id]) for row in page.rows], next=page.next)


@post(
    "/flows/{flow_id:uuid}/schedules",
    opt={"permission": Permission.EDIT_SCHEDULE, "body": CreateSchedule},
    sync_to_thread=True,
)
def create(database: Database, actor: Actor, flow_id: UUID, body: bytes) -> ScheduleView:
    """Create a schedule."""
    request = decode(body, CreateSchedule)
    row = actions.create(database, actor, flow_id, request.document, request.parameters, policy=request.policy())
    return _one(database, row)


@patch(
    "/schedules/{schedule_id:uuid}",
    opt={"permission": Permission.EDIT_SCHEDULE, "body": EditSchedule},
    sync_to_thread=True,
)
def edit(database: Database, actor: Actor, schedule_id: UUID, body: bytes) -> ScheduleView:
    """Change a schedule, or turn it on or off. Its future runs are updated too."""
    request = decode(body, EditSchedule)
    policy = request.policy()
    changed = request.document is not None or request.parameters is not None or policy != actions.Policy()
    if not changed and request.active is None:
        raise Invalid(
            "Nothing to change; send active, document, parameters, catch_up, catch_up_cap, catch_up_window or overlap."
        )
    if not changed and request.active is not None:
        return _one(database, actions.set_active(database, actor, schedule_id, request.active))
    document, parameters = request.document, request.parameters
    row = actions.edit(database, actor, schedule_id, document, parameters, active=request.active, policy=policy)
    return _one(database, row)


@delete("/schedules/{schedule_id:uuid}", opt={"permission": Permission.EDIT_SCHEDULE}, sync_to_thread=True)
def remove(database: Database, actor: Actor, schedule_id: UUID) -> None:
    """Delete a schedule and its future runs."""
    actions.delete(database, actor, schedule_id)


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
    if row.flow_id not in names:
        raise NotFound("The schedule was deleted in the meantime, together with its flow.")
    return _view(row, *names[row.flow_id])


def _view(row: ScheduleRow | Schedule, flow: str, project: str) -> ScheduleView:
    try:
        times = parse(row.document).next(_NEXT, clock.now()) if row.active else []
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
        active=row.active,
        version=row.version,
        catch_up=row.catch_up,
        catch_up_cap=row.catch_up_cap,
        catch_up_window=row.catch_up_window,
        overlap=row.overlap,
        next_times=times,
    )


router = Router("/", route_handlers=[index, create, edit, remove, skips])
