"""The tasks of a run as groups: how many of a task's runs are in each state, with the first one of each, however many children it was mapped to."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Select, and_, bindparam, case, extract, func, literal_column, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session

from appliance.protocol.states import TERMINAL
from appliance.server.db.reads import pages, readable
from appliance.server.db.rows.task_runs import TaskGroupRow
from appliance.server.db.tables import metadata
from appliance.server.db.tables.columns import Time

BUCKETS = 48
_task = metadata.tables["task_run"]
_is_child = _task.c.map_index >= 0
_ended = func.coalesce(_task.c.end_time, _task.c.state_at)


@dataclass(frozen=True)
class TaskGroup:
    """One task of a run: `own` is its task run, of which there may be none yet; `states` are those of its children, by their lowest map index."""

    task_slug: str
    own: TaskGroupRow | None
    states: tuple[TaskGroupRow, ...]


@dataclass(frozen=True)
class GroupPage:
    groups: list[TaskGroup]
    next: str | None


def page(session: Session, flow_run_id: UUID, limit: int, after: str | None) -> GroupPage:
    """A run's tasks by slug, each with its numbers, in one statement."""
    slugs = select(_task.c.task_slug).distinct().where(_task.c.flow_run_id == flow_run_id)
    if after is not None:
        slugs = slugs.where(_task.c.task_slug > pages.text_key(after, 1)[0])
    statement = _numbers(flow_run_id, slugs.order_by(_task.c.task_slug).limit(limit + 1))
    rows = cast(Iterable[TaskGroupRow], readable.every(session, statement))
    by_slug: dict[str, list[TaskGroupRow]] = {}
    for row in rows:
        by_slug.setdefault(row.task_slug, []).append(row)
    groups = [_group(slug, parts) for slug, parts in by_slug.items()]
    return GroupPage(groups[:limit], pages.encode(groups[limit - 1].task_slug) if len(groups) > limit else None)


def busy(session: Session, flow_run_id: UUID, slugs: Collection[str], now: datetime) -> dict[str, list[int]]:
    """How many children of each of these tasks were under way, in equal parts of the time from their first start to their last end, or to `now`.
    Tasks without two children that took some time are left out."""
    statement = _spans(session.get_bind().dialect.name == "sqlite", flow_run_id, slugs)
    changes: dict[str, list[int]] = {}
    for slug, start, end, number in readable.every(session, statement, {"now": now}):
        steps = changes.setdefault(slug, [0] * (BUCKETS + 1))
        steps[min(int(start), BUCKETS - 1)] += number
        steps[min(int(end), BUCKETS - 1) + 1] -= number
    return {slug: _summed(steps) for slug, steps in changes.items()}


def _numbers(flow_run_id: UUID, slugs: Select[Any]) -> Select[Any]:
    number = (
        select(
            _task.c.task_slug,
            func.min(_task.c.map_index).label("lowest"),
            func.count().label("number"),
            func.min(_task.c.start_time).label("first_start"),
            func.max(case((_task.c.start_time.is_not(None), _ended))).label("last_end"),
        )
        .where(_task.c.flow_run_id == flow_run_id, _task.c.task_slug.in_(slugs))
        .group_by(_task.c.task_slug, _is_child, _task.c.state_type, _task.c.state_name)
        .subquery()
    )
    is_first = and_(
        _task.c.flow_run_id == flow_run_id,
        _task.c.task_slug == number.c.task_slug,
        _task.c.map_index == number.c.lowest,
    )
    return (
        select(*_task.c, number.c.number, number.c.first_start, number.c.last_end)
        .join_from(number, _task, is_first)
        .order_by(_task.c.task_slug, _task.c.map_index)
    )


def _spans(is_sqlite: bool, flow_run_id: UUID, slugs: Collection[str]) -> Select[Any]:
    """How many children began in one part of their task's time and ended in another."""
    end = case((_task.c.state_type.in_(sorted(TERMINAL)), _ended), else_=bindparam("now", type_=Time()))
    of_tasks = and_(
        _task.c.flow_run_id == flow_run_id, _task.c.task_slug.in_(slugs), _is_child, _task.c.start_time.is_not(None)
    )
    span = (
        select(_task.c.task_slug, func.min(_task.c.start_time).label("first"), func.max(end).label("last"))
        .where(of_tasks)
        .group_by(_task.c.task_slug)
        .having(func.count() > 1, func.max(end) > func.min(_task.c.start_time))
        .subquery()
    )

    def seconds(time: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.julianday(time) * 86_400.0 if is_sqlite else extract("epoch", time)

    def part(time: ColumnElement[Any]) -> ColumnElement[Any]:
        length = func.nullif(seconds(span.c.last) - seconds(span.c.first), 0)
        place = (seconds(time) - seconds(span.c.first)) * BUCKETS / length
        return func.coalesce(sql_cast(place if is_sqlite else func.floor(place), Integer), 0)

    parts = (part(_task.c.start_time).label("begun"), part(end).label("ended"))
    return (
        select(_task.c.task_slug, *parts, func.count())
        .join_from(span, _task, and_(of_tasks, _task.c.task_slug == span.c.task_slug))
        .group_by(_task.c.task_slug, literal_column("begun"), literal_column("ended"))
    )


def _group(slug: str, rows: list[TaskGroupRow]) -> TaskGroup:
    own = rows[0] if rows[0].map_index < 0 else None
    return TaskGroup(slug, own, tuple(rows if own is None else rows[1:]))


def _summed(steps: list[int]) -> list[int]:
    """The number in each part, from how it changes."""
    numbers, number = [], 0
    for step in steps[:BUCKETS]:
        number += step
        numbers.append(number)
    return numbers
