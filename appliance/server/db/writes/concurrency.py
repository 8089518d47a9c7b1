"""Limits: stored, changed, and held while slots under them are given out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, not_, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from appliance.server.db.rows.concurrency import LimitRow, NewLimit, SlotHolder, TagLimit
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.concurrency import ConcurrencyLimit, TaskSlot
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.writes.flow_runs import LIVE_NOW
from appliance.server.domain.concurrency import TASK_TAG, Limit

_limits = table(ConcurrencyLimit)
_slots = table(TaskSlot)
_runs = table(FlowRun)
_HOLDING = and_(_runs.c.id == _slots.c.flow_run_id, _runs.c.attempt == _slots.c.attempt, LIVE_NOW)
"""A slot counts while the attempt that took it is the live one of its run."""
_FREE = delete(_slots).where(
    _slots.c.flow_run_id == bindparam("run"),
    _slots.c.task_slug == bindparam("slug"),
    _slots.c.map_index == bindparam("index"),
)
_OF_RUNS = (
    select(_limits.c.kind, _limits.c.name, _limits.c.slots)
    .where(_limits.c.kind != TASK_TAG)
    .order_by(_limits.c.id)
    .with_for_update()
)


def held_for_runs(session: Session) -> list[Limit]:
    """The limits that runs fall under. Until the transaction ends nobody else gives out slots under them."""
    return [Limit(*row) for row in session.connection().execute(_OF_RUNS)]


def put(session: Session, row: NewLimit) -> LimitRow:
    """Store a limit, or give the one of the same kind and name other slots; the stored row."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(ConcurrencyLimit).values(row)
    statement = statement.on_conflict_do_update(
        index_elements=["kind", "name"], set_={"slots": row["slots"], "updated": row["updated"]}
    )
    return cast(LimitRow, session.connection().execute(statement.returning(*_limits.c)).one())


def remove(session: Session, limit_id: UUID) -> LimitRow | None:
    """Delete a limit; its row, None when there was none."""
    statement = delete(_limits).where(_limits.c.id == limit_id).returning(*_limits.c)
    return cast(LimitRow | None, session.connection().execute(statement).one_or_none())


def new_row(id: UUID, kind: str, name: str, slots: int, actor: str, now: datetime) -> NewLimit:
    return {
        "id": id, "kind": kind, "name": name, "slots": slots, "created": now, "updated": now, "created_by": actor,
    }  # fmt: skip


def limited_tags(session: Session) -> list[str]:
    """The task tags that have a limit."""
    return list(
        session.execute(select(_limits.c.name).where(_limits.c.kind == TASK_TAG).order_by(_limits.c.name)).scalars()
    )


def tag_limits(session: Session, tags: Sequence[str], *, held: bool) -> list[TagLimit]:
    """The limits of these tags, always in one order. `held`: until the transaction ends nobody else gives out slots under them."""
    statement = select(_limits.c.id, _limits.c.name, _limits.c.slots).where(
        _limits.c.kind == TASK_TAG, _limits.c.name.in_(tags)
    )
    statement = statement.order_by(_limits.c.id)
    return cast(list[TagLimit], session.execute(statement.with_for_update() if held else statement).all())


def used_by_others(session: Session, limits: Sequence[UUID], run: UUID, slug: str, index: int) -> dict[UUID, int]:
    """How many slots under each limit other task runs hold."""
    statement = select(_slots.c.limit_id, func.count()).join(_runs, _HOLDING).where(_slots.c.limit_id.in_(limits))
    statement = statement.where(_others(run, slug, index)).group_by(_slots.c.limit_id)
    return {limit: used for limit, used in session.execute(statement)}


def longest_holding(session: Session, limit: UUID, run: UUID, slug: str, index: int, most: int) -> list[SlotHolder]:
    """The other task runs that have held a slot under the limit for the longest time, with the names of their runs."""
    columns = (_runs.c.name, _slots.c.task_slug, _slots.c.map_index)
    statement = select(*columns).join(_slots, _HOLDING).where(_slots.c.limit_id == limit, _others(run, slug, index))
    return cast(list[SlotHolder], session.execute(statement.order_by(_slots.c.at, _runs.c.id).limit(most)).all())


def take(
    session: Session, limits: Sequence[UUID], run: UUID, slug: str, index: int, attempt: int, now: datetime
) -> None:
    """Give a task run a slot under each limit; those of an earlier attempt become its own."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(_slots).on_conflict_do_update(
        index_elements=["limit_id", "flow_run_id", "task_slug", "map_index"], set_={"attempt": attempt, "at": now}
    )
    values = {"flow_run_id": run, "task_slug": slug, "map_index": index, "attempt": attempt, "at": now}
    session.connection().execute(statement, [values | {"limit_id": limit} for limit in limits])


def free(session: Session, run: UUID, tasks: Sequence[tuple[str, int]]) -> None:
    """Take back all slots of these task runs."""
    rows = [{"run": run, "slug": slug, "index": index} for slug, index in sorted(tasks)]
    session.connection().execute(_FREE, rows)


def any_left_behind(session: Session) -> bool:
    """Are there slots that no longer count?"""
    return session.execute(select(_slots.c.limit_id).where(_left_behind()).limit(1)).first() is not None


def drop_left_behind(session: Session) -> int:
    """Delete the slots that no longer count; how many there were."""
    return int(session.connection().execute(delete(_slots).where(_left_behind())).rowcount)


def _left_behind() -> ColumnElement[bool]:
    return not_(select(_runs.c.id).where(_HOLDING).exists())


def _others(run: UUID, slug: str, index: int) -> ColumnElement[bool]:
    return or_(_slots.c.flow_run_id != run, _slots.c.task_slug != slug, _slots.c.map_index != index)
