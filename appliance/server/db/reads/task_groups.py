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
from appliance.server.db.rows.task_runs import TaskGroupRow, TaskRunRow
from appliance.server.db.tables import metadata
from appliance.server.db.tables.columns import Time

BUCKETS = 48
_task = metadata.tables["task_run"]
_is_child = _task.c.map_index >= 0


@dataclass(frozen=True)
class GroupState:
    """The children of a task that are in one state. `first` is missing if it is damaged, or has changed in the meantime."""

    numbers: TaskGroupRow
    first: TaskRunRow | None


@dataclass(frozen=True)
class TaskGroup:
    """One task of a run: `own` is its task run, of which there may be none yet; `states` are those of its children, by their lowest map index."""

    task_slug: str
    own: TaskRunRow | None
    states: tuple[GroupState, ...]


@dataclass(frozen=True)
class GroupPage:
    groups: list[TaskGroup]
    next: str | None


def page(session: Session, flow_run_id: UUID, limit: int, after: str | None) -> GroupPage:
    """A run's tasks by slug. The numbers are a statement of their own, so that a damaged child still counts."""
    query = select(_task.c.task_slug).distinct().where(_task.c.flow_run_id == flow_run_id).order_by(_task.c.task_slug)
    if after is not None:
        query = query.where(_task.c.task_slug > pages.text_key(after, 1)[0])
    slugs = [slug for (slug,) in readable.rows(session, query, limit + 1)]
    listed = slugs[:limit]
    numbers = _numbers(session.get_bind().dialect.name == "sqlite", flow_run_id, listed)
    states = cast(Iterable[TaskGroupRow], readable.every(session, numbers.order_by("lowest")))
    runs = cast(Iterable[TaskRunRow], readable.every(session, _own_and_first(flow_run_id, numbers)))
    groups = _grouped(listed, list(states), list(runs))
    return GroupPage(groups, pages.encode(listed[-1]) if len(slugs) > limit else None)


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


def _numbers(is_sqlite: bool, flow_run_id: UUID, slugs: Collection[str]) -> Select[Any]:
    """What is known of the children in each state, and with the map index -1 of the tasks themselves."""
    return (
        select(
            _task.c.task_slug,
            _task.c.state_type,
            _task.c.state_name,
            func.min(_task.c.map_index).label("lowest"),
            func.count().label("number"),
            func.min(_start(is_sqlite)).label("first_start"),
            func.max(case((_task.c.start_time.is_not(None), _end(is_sqlite)))).label("last_end"),
        )
        .where(_task.c.flow_run_id == flow_run_id, _task.c.task_slug.in_(slugs))
        .group_by(_task.c.task_slug, _is_child, _task.c.state_type, _task.c.state_name)
    )


def _own_and_first(flow_run_id: UUID, numbers: Select[Any]) -> Select[Any]:
    number = numbers.subquery()
    is_first = and_(
        _task.c.flow_run_id == flow_run_id,
        _task.c.task_slug == number.c.task_slug,
        _task.c.map_index == number.c.lowest,
    )
    return select(*_task.c).join_from(number, _task, is_first)


def _start(is_sqlite: bool) -> ColumnElement[Any]:
    return _sound(_task.c.start_time, is_sqlite)


def _end(is_sqlite: bool) -> ColumnElement[Any]:
    return func.coalesce(_sound(_task.c.end_time, is_sqlite), _sound(_task.c.state_at, is_sqlite))


def _sound(time: ColumnElement[Any], is_sqlite: bool) -> ColumnElement[Any]:
    """Null if it is damaged: as the first or last time of many task runs, it would keep all of them from being read."""
    return case((func.julianday(time).is_not(None), time)) if is_sqlite else time


def _spans(is_sqlite: bool, flow_run_id: UUID, slugs: Collection[str]) -> Select[Any]:
    """How many children began in one part of their task's time and ended in another."""
    start = _start(is_sqlite)
    end = case((_task.c.state_type.in_(sorted(TERMINAL)), _end(is_sqlite)), else_=bindparam("now", type_=Time()))
    of_tasks = and_(
        _task.c.flow_run_id == flow_run_id,
        _task.c.task_slug.in_(slugs),
        _is_child,
        start.is_not(None),
        end.is_not(None),
    )
    span = (
        select(_task.c.task_slug, func.min(start).label("first"), func.max(end).label("last"))
        .where(of_tasks)
        .group_by(_task.c.task_slug)
        .having(func.count() > 1, func.max(end) > func.min(start))
        .subquery()
    )

    def seconds(time: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.julianday(time) * 86_400.0 if is_sqlite else extract("epoch", time)

    def part(time: ColumnElement[Any]) -> ColumnElement[Any]:
        length = func.nullif(seconds(span.c.last) - seconds(span.c.first), 0)
        place = (seconds(time) - seconds(span.c.first)) * BUCKETS / length
        return func.coalesce(sql_cast(place if is_sqlite else func.floor(place), Integer), 0)

    parts = (part(start).label("begun"), part(end).label("ended"))
    return (
        select(_task.c.task_slug, *parts, func.count())
        .join_from(span, _task, and_(of_tasks, _task.c.task_slug == span.c.task_slug))
        .group_by(_task.c.task_slug, literal_column("begun"), literal_column("ended"))
    )


def _grouped(slugs: list[str], states: list[TaskGroupRow], runs: list[TaskRunRow]) -> list[TaskGroup]:
    own = {run.task_slug: run for run in runs if run.map_index < 0}
    first = {(run.task_slug, run.state_type, run.state_name): run for run in runs if run.map_index >= 0}
    children: dict[str, list[GroupState]] = {}
    for state in states:
        if state.lowest >= 0:
            run = first.get((state.task_slug, state.state_type, state.state_name))
            children.setdefault(state.task_slug, []).append(GroupState(state, run))
    return [
        TaskGroup(slug, own.get(slug), tuple(children.get(slug, ())))
        for slug in slugs
        if slug in own or slug in children
    ]


def _summed(steps: list[int]) -> list[int]:
    """The number in each part, from how it changes."""
    numbers, number = [], 0
    for step in steps[:BUCKETS]:
        number += step
        numbers.append(number)
    return numbers
