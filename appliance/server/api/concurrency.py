"""REST: limits on how many runs or tasks run at once, with the holders of their slots."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import Router, delete, get, put
from sqlalchemy.orm import Session

from appliance.protocol.message import Answer, Message, Page
from appliance.server.actions import concurrency as actions
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import concurrency
from appliance.server.db.rows.concurrency import LimitRow, TaskHolder
from appliance.server.db.rows.flow_runs import LiveRun
from appliance.server.db.session import Database
from appliance.server.domain.concurrency import FLOW, TASK_TAG

_MAX_HOLDERS = 50


class PutLimit(Message, kw_only=True):
    """`name` is a label, a task tag, or a flow written as `project/flow`."""

    kind: Literal["flow", "label", "task_tag"]
    name: str
    slots: Annotated[int, msgspec.Meta(ge=0, le=actions.MOST_SLOTS)]


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
    holders: list[HolderView]  # longest-held first, at most 50


@get("/concurrency-limits", opt={"permission": Permission.READ, "items": LimitView}, sync_to_thread=True)
def index(database: Database) -> Page:
    """List all limits with their current usage, counted from the active runs."""
    with database.read() as session:
        return Page(items=_views(session, list(concurrency.every(session))))


@put("/concurrency-limits", opt={"permission": Permission.EDIT_LIMIT, "body": PutLimit}, sync_to_thread=True)
def put_limit(database: Database, actor: Actor, body: bytes) -> LimitView:
    """Set a limit. An existing one of the same kind and name gets the new number. With zero, nothing starts."""
    request = decode(body, PutLimit)
    row = actions.put(database, actor, request.kind, request.name, request.slots)
    with database.read() as session:
        return _views(session, [row])[0]


@delete("/concurrency-limits/{limit_id:uuid}", opt={"permission": Permission.EDIT_LIMIT}, sync_to_thread=True)
def remove(database: Database, actor: Actor, limit_id: UUID) -> None:
    """Remove a limit."""
    actions.remove(database, actor, limit_id)


def _views(session: Session, rows: Sequence[LimitRow]) -> list[LimitView]:
    runs = concurrency.live_runs(session)
    tasks = concurrency.task_holders(session)
    names = concurrency.flow_names(session, [UUID(row.name) for row in rows if row.kind == FLOW])
    views = []
    for row in rows:
        holders = _tasks(row, tasks) if row.kind == TASK_TAG else _runs(row, runs)
        name = names.get(row.name, row.name)
        views.append(
            LimitView(
                id=row.id,
                kind=row.kind,
                name=name,
                slots=row.slots,
                used=len(holders),
                holders=holders[:_MAX_HOLDERS],
            )
        )
    return views


def _runs(limit: LimitRow, runs: Sequence[LiveRun]) -> list[HolderView]:
    return [
        HolderView(flow_run_id=run.id, flow_run=run.name, since=run.start_time or run.state_at)
        for run in runs
        if (str(run.flow_id) == limit.name if limit.kind == FLOW else limit.name in run.labels)
    ]


def _tasks(limit: LimitRow, tasks: Sequence[TaskHolder]) -> list[HolderView]:
    return [
        HolderView(
            flow_run_id=task.id, flow_run=task.name, since=task.at, task_slug=task.task_slug, map_index=task.map_index
        )
        for task in tasks
        if task.limit_id == limit.id
    ]


router = Router("/", route_handlers=[index, put_limit, remove])
