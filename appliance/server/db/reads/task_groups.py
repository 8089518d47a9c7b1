"""The tasks of a run as groups: how many of a task's runs are in each state, with the first one of each, however many children it was mapped to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Text,
    and_,
    bindparam,
    case,
    column,
    func,
    literal_column,
    select,
    tuple_,
    values,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session

from appliance.protocol.states import TERMINAL
from appliance.server.db.reads import pages, readable
from appliance.server.db.rows.task_runs import TaskGroupRow, TaskRunRow
from appliance.server.db.tables import metadata
from appliance.server.db.tables.columns import Time

BUCKETS = 48
_UNIX_EPOCH = 2_440_587.5
"""Its Julian day."""
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
    states: list[TaskGroupRow] = readable.every(session, numbers.order_by("lowest"))
    runs: list[TaskRunRow] = readable.every(session, _own_and_first(flow_run_id, states))
    groups = _grouped(listed, states, runs)
    return GroupPage(groups, pages.encode(listed[-1]) if len(slugs) > limit else None)


def busy(session: Session, flow_run_id: UUID, groups: Collection[TaskGroup], now: datetime) -> dict[str, list[int]]:
    """How many children of each of these tasks were under way, in equal parts of the time from their first start to their last end, or to `now`.
    Tasks without two children that took some time are left out."""
    spans = {group.task_slug: span for group in groups if (span := _span(group, now)) is not None}
    if not spans:
        return {}
    statement = _parts(session.get_bind().dialect.name == "sqlite", flow_run_id, spans)
    changes: dict[str, list[int]] = {}
    children: dict[str, int] = {}
    for slug, start, end, number in readable.every(session, statement, {"now": now}):
        if start is None or end is None:
            continue  # children that have not begun, or whose times are damaged
        steps = changes.setdefault(slug, [0] * (BUCKETS + 1))
        steps[_bucket(start)] += number
        steps[_bucket(end) + 1] -= number
        children[slug] = children.get(slug, 0) + number
    return {slug: _summed(steps) for slug, steps in changes.items() if children[slug] > 1}


def _span(group: TaskGroup, now: datetime) -> tuple[datetime, datetime] | None:
    """From the first start of a task's children to their last end, or to `now` while one is under way; None if no time lies between."""
    begun = [state.numbers for state in group.states if state.numbers.first_start is not None]
    if not begun:
        return None
    first = min(cast(datetime, state.first_start) for state in begun)
    last = max(state.last_end or now if state.state_type in TERMINAL else now for state in begun)
    return (first, last) if _milliseconds(last) > _milliseconds(first) else None


def _milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def _bucket(part: int) -> int:
    return max(0, min(part, BUCKETS - 1))


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


def _own_and_first(flow_run_id: UUID, states: Iterable[TaskGroupRow]) -> Select[Any]:
    lowest = tuple_(_task.c.task_slug, _task.c.map_index).in_([(state.task_slug, state.lowest) for state in states])
    return select(*_task.c).where(_task.c.flow_run_id == flow_run_id, lowest)


def _start(is_sqlite: bool) -> ColumnElement[Any]:
    return _sound(_task.c.start_time, is_sqlite)


def _end(is_sqlite: bool) -> ColumnElement[Any]:
    return func.coalesce(_sound(_task.c.end_time, is_sqlite), _sound(_task.c.state_at, is_sqlite))


def _sound(time: ColumnElement[Any], is_sqlite: bool) -> ColumnElement[Any]:
    """Null if it is damaged: as the first or last time of many task runs, it would keep all of them from being read."""
    return case((func.julianday(time).is_not(None), time)) if is_sqlite else time


def _parts(is_sqlite: bool, flow_run_id: UUID, spans: Mapping[str, tuple[datetime, datetime]]) -> Select[Any]:
    """How many children began in one part of their task's span and ended in another. Parts are null where a time is missing or damaged."""
    rows = [
        (slug, _milliseconds(first), _milliseconds(last) - _milliseconds(first))
        for slug, (first, last) in spans.items()
    ]
    columns = (column("task_slug", Text), column("first", BigInteger), column("length", BigInteger))
    span = values(*columns, name="span").data(rows).cte()

    def part(time: ColumnElement[Any]) -> ColumnElement[Any]:
        days = func.julianday(time) - _UNIX_EPOCH
        at = sql_cast(days * 86_400_000.0 + 0.5 if is_sqlite else func.date_part("epoch", time) * 1000, BigInteger)
        return (at - span.c.first) * BUCKETS // span.c.length

    ended = func.coalesce(_task.c.end_time, _task.c.state_at)
    end = case((_task.c.state_type.in_(sorted(TERMINAL)), ended), else_=bindparam("now", type_=Time()))
    parts = (part(_task.c.start_time).label("begun"), part(end).label("ended"))
    of_task = and_(_task.c.flow_run_id == flow_run_id, _task.c.task_slug == span.c.task_slug, _is_child)
    return (
        select(_task.c.task_slug, *parts, func.count())
        .join_from(span, _task, of_task)
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
