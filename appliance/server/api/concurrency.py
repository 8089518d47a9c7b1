"""REST: limits on how many runs or tasks run at once and how many tasks start in a period, with the holders of their slots."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from litestar import Router, delete, get, put

from appliance.kit import clock
from appliance.protocol.limits import PutLimit
from appliance.protocol.message import Answer, Page
from appliance.server.actions import concurrency as actions
from appliance.server.api import PREFIX
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import limit_use
from appliance.server.db.reads.limit_use import LimitUse
from appliance.server.db.session import Database


class HolderView(Answer, kw_only=True):
    flow_run_id: UUID
    flow_run: str
    since: datetime
    task_slug: str | None = None
    map_index: int = -1


class LimitView(Answer, kw_only=True):
    id: UUID
    kind: str
    name: str
    slots: int
    used: int
    holders: list[HolderView]  # longest-held first, at most 50; of a task_rate, the newest starts first
    per: float | None


@get("/concurrency-limits", opt={"permission": Permission.READ, "items": LimitView}, sync_to_thread=True)
def index(database: Database) -> Page:
    """List all limits with their current usage, counted from the active runs."""
    with database.read() as session:
        return Page(items=[_view(use) for use in limit_use.every(session, clock.now())])


@put("/concurrency-limits", opt={"permission": Permission.EDIT_LIMIT, "body": PutLimit}, sync_to_thread=True)
def put_limit(database: Database, actor: Actor, body: bytes) -> LimitView:
    """Set a limit. An existing one of the same kind and name gets the new numbers. With zero, nothing starts."""
    request = decode(body, PutLimit)
    row = actions.put(database, actor, request.kind, request.name, request.slots, request.per)
    with database.read() as session:
        return _view(limit_use.of_limits(session, [row], clock.now())[0])


@delete("/concurrency-limits/{limit_id:uuid}", opt={"permission": Permission.EDIT_LIMIT}, sync_to_thread=True)
def remove(database: Database, actor: Actor, limit_id: UUID) -> None:
    """Remove a limit."""
    actions.remove(database, actor, limit_id)


def _view(use: LimitUse) -> LimitView:
    return msgspec.convert(use, LimitView, from_attributes=True)


router = Router(PREFIX, route_handlers=[index, put_limit, remove])
