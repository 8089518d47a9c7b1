"""REST: limits on what runs at a time, with their holders."""

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

_HOLDERS_SHOWN = 50


class PutLimit(Message, kw_only=True):
    """`name` is a label, a task tag, or a flow as `project/flow`."""

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
    holders: list[HolderView]  # the longest holding first, at most 50


@get("/concurrency-limits", opt={"permission": Permission.READ, "items": LimitView}, sync_to_thread=True)
def index(database: Database) -> Page:
    """All limits with what is in use of them now, counted from the runs that are at work."""
    with database.read() as session:
        return Page(items=_views(session, list(concurrency.every(session))))


@put("/concurrency-limits", opt={"permission": Permission.EDIT_LIMIT, "body": PutLimit}, sync_to_thread=True)
def put_limit(database: Database, actor: Actor, body: bytes) -> LimitView:
    """Set a limit; one of the same kind and name gets the new number. Zero lets nothing start."""
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
    found = []
    for row in rows:
        holders = _tasks(row, tasks) if row.kind == TASK_TAG else _runs(row, runs)
        name = names.get(row.name, row.name)
        found.append(
            LimitView(
                id=row.id,
                kind=row.kind,
                name=name,
                slots=row.slots,
                used=len(holders),
                holders=holders[:_HOLDERS_SHOWN],
            )
        )
    return found


def _runs(limit: LimitRow, runs: Sequence[LiveRun]) -> list[HolderView]:
    return [
        HolderView(flow_run_id=run.id, flow_run=run.name, since=run.start_time or run.state_at)
        for run in runs
        if (str(run.flow_id) == limit.name if limit.kind == FLOW else limit.name in run.labels)
    ]


def _tasks(limit: LimitRow, tasks: Sequence[TaskHolder]) -> list[HolderView]:
    return [
        HolderView(
            flow_run_id=held.id, flow_run=held.name, since=held.at, task_slug=held.task_slug, map_index=held.map_index
        )
        for held in tasks
        if held.limit_id == limit.id
    ]


router = Router("/", route_handlers=[index, put_limit, remove])
