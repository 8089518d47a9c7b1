"""Limits with their current use, counted from the active runs and from recent starts, and the holders of their slots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.server.db.reads import concurrency
from appliance.server.db.rows.concurrency import LimitRow, TaskHolder
from appliance.server.db.rows.flow_runs import LiveRun
from appliance.server.domain.concurrency import FLOW, TASK_TAG

MAX_HOLDERS = 50


@dataclass(frozen=True)
class Holder:
    """A run, or under a limit on tasks one of its task runs, that holds a slot, or has started in the current period."""

    flow_run_id: UUID
    flow_run: str
    since: datetime
    task_slug: str | None = None
    map_index: int = -1


@dataclass(frozen=True)
class LimitUse:
    """A limit; `name` is a label, a task tag, or a flow written as `project/flow`. With `per`, it counts the starts within so many seconds."""

    id: UUID
    kind: str
    name: str
    slots: int
    used: int
    holders: list[Holder]  # longest-held first, at most 50; with `per`, the newest starts first
    per: float | None


def every(session: Session, now: datetime) -> list[LimitUse]:
    """All limits, by kind and name."""
    return of_limits(session, concurrency.every(session), now)


def of_limits(session: Session, rows: Sequence[LimitRow], now: datetime) -> list[LimitUse]:
    """These limits, in the same order."""
    runs = concurrency.live_runs(session)
    tasks = concurrency.task_holders(session)
    names = concurrency.flow_names(session, [UUID(row.name) for row in rows if row.kind == FLOW])
    uses = []
    for row in rows:
        if row.per is not None:
            since = now - timedelta(seconds=row.per)
            used, newest = concurrency.starts(session, row.id, since, now, MAX_HOLDERS)
            holders = _tasks(row, newest)
        else:
            holders = _tasks(row, tasks) if row.kind == TASK_TAG else _runs(row, runs)
            used = len(holders)
        name = names.get(row.name, row.name)
        uses.append(LimitUse(row.id, row.kind, name, row.slots, used, holders[:MAX_HOLDERS], row.per))
    return uses


def _runs(limit: LimitRow, runs: Sequence[LiveRun]) -> list[Holder]:
    return [
        Holder(run.id, run.name, run.start_time or run.state_at)
        for run in runs
        if (str(run.flow_id) == limit.name if limit.kind == FLOW else limit.name in run.labels)
    ]


def _tasks(limit: LimitRow, tasks: Sequence[TaskHolder]) -> list[Holder]:
    return [
        Holder(task.id, task.name, task.at, task.task_slug, task.map_index)
        for task in tasks
        if task.limit_id == limit.id
    ]
