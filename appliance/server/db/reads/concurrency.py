"""Reads of limits and of the holders of their slots, which are counted from live runs and never stored."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
from appliance.server.domain.concurrency import TASK_TAG

_limit = metadata.tables["concurrency_limit"]
_run = metadata.tables["flow_run"]
_flow = metadata.tables["flow"]
_project = metadata.tables["project"]
_slot = metadata.tables["task_slot"]
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
    return list(
        readable.scalars(session, select(_limit.c.name).where(_limit.c.kind == TASK_TAG).order_by(_limit.c.name))
    )


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
    query = select(_limit.c.id, _limit.c.name, _limit.c.slots).where(_limit.c.kind == TASK_TAG, _limit.c.name.in_(tags))
    return query.order_by(_limit.c.id)
