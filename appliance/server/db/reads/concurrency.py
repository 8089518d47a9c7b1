"""Reads of limits and of the holders of their slots, which are counted from live runs and never stored."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, literal, not_, or_, select
from sqlalchemy.orm import Session

from appliance.server.db.conditions import LIVE_NOW
from appliance.server.db.prepared import Prepared
from appliance.server.db.reads import readable
from appliance.server.db.rows.concurrency import LimitRow, SlotHolder, TagLimit, TaskHolder
from appliance.server.db.rows.flow_runs import LiveRun
from appliance.server.db.tables import metadata
from appliance.server.domain.concurrency import OF_TASKS

_limit = metadata.tables["concurrency_limit"]
_run = metadata.tables["flow_run"]
_flow = metadata.tables["flow"]
_project = metadata.tables["project"]
_slot = metadata.tables["task_slot"]
_start = metadata.tables["task_start"]
_HOLDING = and_(_run.c.id == _slot.c.flow_run_id, _run.c.attempt == _slot.c.attempt, LIVE_NOW)
"""A slot counts while the attempt that took it is the live attempt of its run."""
_EVERY = Prepared(select(_limit).order_by(_limit.c.kind, _limit.c.name))


def every(session: Session) -> Sequence[LimitRow]:
    """All limits, by kind and name. People create them by hand, so there are few."""
    return cast(Sequence[LimitRow], readable.every(session, _EVERY))


def live_runs(session: Session) -> Sequence[LiveRun]:
    """The active runs, which may hold a slot of a flow's or a label's limit."""
    columns = (_run.c.id, _run.c.name, _run.c.flow_id, _run.c.labels, _run.c.start_time, _run.c.state_at)
    statement = select(*columns).where(LIVE_NOW).order_by(_run.c.state_at, _run.c.id)
    return cast(Sequence[LiveRun], readable.every(session, statement))


def task_holders(session: Session) -> Sequence[TaskHolder]:
    """The task runs that hold a slot, each with its run."""
    columns = (_slot.c.limit_id, _slot.c.task_slug, _slot.c.map_index, _slot.c.at, _run.c.id, _run.c.name)
    live = and_(_run.c.id == _slot.c.flow_run_id, _run.c.attempt == _slot.c.attempt)
    statement = select(*columns).join(_run, live).where(LIVE_NOW).order_by(_slot.c.at)
    return cast(Sequence[TaskHolder], readable.every(session, statement))


def flow_names(session: Session, ids: Sequence[UUID]) -> dict[str, str]:
    """`project/flow` by the flow's id as text."""
    query = select(_flow.c.id, _project.c.name, _flow.c.name).join(_project, _project.c.id == _flow.c.project_id)
    return {
        str(id): f"{project}/{flow}" for id, project, flow in readable.every(session, query.where(_flow.c.id.in_(ids)))
    }


def limited_tags(session: Session) -> list[str]:
    """The task tags that have a limit."""
    query = select(_limit.c.name).where(_limit.c.kind.in_(OF_TASKS)).distinct().order_by(_limit.c.name)
    return list(readable.scalars(session, query))


def used_by_others(session: Session, limits: Sequence[UUID], run: UUID, slug: str, index: int) -> dict[UUID, int]:
    """How many slots under each limit other task runs hold."""
    statement = select(_slot.c.limit_id, func.count()).join(_run, _HOLDING).where(_slot.c.limit_id.in_(limits))
    statement = statement.where(_by_others(run, slug, index)).group_by(_slot.c.limit_id)
    return {limit: used for limit, used in readable.every(session, statement)}


def longest_holders(session: Session, limit: UUID, run: UUID, slug: str, index: int, most: int) -> list[SlotHolder]:
    """The other task runs that have held a slot under the limit the longest, with the names of their runs."""
    columns = (_run.c.name, _slot.c.task_slug, _slot.c.map_index)
    statement = select(*columns).join(_slot, _HOLDING).where(_slot.c.limit_id == limit, _by_others(run, slug, index))
    return cast(list[SlotHolder], readable.every(session, statement.order_by(_slot.c.at, _run.c.id).limit(most)))


def any_stale_slot(session: Session) -> bool:
    """Whether there are slots that no longer count."""
    return session.execute(select(literal(1)).select_from(_slot).where(stale_slots()).limit(1)).first() is not None


def stale_slots() -> ColumnElement[bool]:
    """The condition under which a slot no longer counts."""
    return not_(select(_run.c.id).where(_HOLDING).exists())


def _by_others(run: UUID, slug: str, index: int) -> ColumnElement[bool]:
    return or_(_slot.c.flow_run_id != run, _slot.c.task_slug != slug, _slot.c.map_index != index)


def tag_limits(session: Session, tags: Collection[str]) -> list[TagLimit]:
    """The limits of these task tags, always in one order."""
    return cast(list[TagLimit], readable.every(session, of_tags(tags)))


def of_tags(tags: Collection[str]) -> Select[Any]:
    """The statement for the limits of these task tags."""
    columns = (_limit.c.id, _limit.c.name, _limit.c.slots, _limit.c.per)
    return select(*columns).where(_limit.c.kind.in_(OF_TASKS), _limit.c.name.in_(tags)).order_by(_limit.c.id)


def holds(session: Session, limits: Sequence[UUID], run: UUID, slug: str, index: int, attempt: int) -> set[UUID]:
    """Under which of these limits an attempt's task run has a slot already."""
    own = and_(_slot.c.flow_run_id == run, _slot.c.task_slug == slug, _slot.c.map_index == index)
    query = select(_slot.c.limit_id).where(_slot.c.limit_id.in_(limits), own, _slot.c.attempt == attempt)
    return set(readable.scalars(session, query))


def nth_newest_start(session: Session, limit: UUID, since: datetime, now: datetime, n: int) -> datetime | None:
    """When the start happened that is the `n`th newest of a period, from 1; None: there were fewer."""
    query = select(_start.c.at).where(_within(limit, since, now)).order_by(_start.c.at.desc()).limit(1).offset(n - 1)
    return next(iter(readable.scalars(session, query)), None)


def starts(session: Session, limit: UUID, since: datetime, now: datetime, most: int) -> tuple[int, list[TaskHolder]]:
    """How many tasks have started under a limit in a period, and the newest of them whose runs still exist."""
    within = _within(limit, since, now)
    columns = (_start.c.limit_id, _start.c.task_slug, _start.c.map_index, _start.c.at, _run.c.id, _run.c.name)
    query = select(*columns).join(_run, _run.c.id == _start.c.flow_run_id).where(within)
    newest = readable.every(session, query.order_by(_start.c.at.desc()).limit(most))
    (count,) = readable.scalars(session, select(func.count()).select_from(_start).where(within))
    return count, cast(list[TaskHolder], newest)


def _within(limit: UUID, since: datetime, now: datetime) -> ColumnElement[bool]:
    """Starts after `since` and until now. One that has a later time was noted before the clock was set back, and counts no more."""
    return and_(_start.c.limit_id == limit, _start.c.at > since, _start.c.at <= now)
