"""Writing limits and slots, and locking limits while slots are granted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from appliance.server.db.reads import readable
from appliance.server.db.reads.concurrency import of_tags, stale_slots
from appliance.server.db.rows.concurrency import LimitRow, NewLimit, TagLimit
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.concurrency import ConcurrencyLimit, TaskSlot, TaskStart
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.upserts import upsert
from appliance.server.domain.concurrency import OF_RUNS, Limit

_limits = table(ConcurrencyLimit)
_slots = table(TaskSlot)
_starts = table(TaskStart)
_runs = table(FlowRun)
_FREE = delete(_slots).where(
    _slots.c.flow_run_id == bindparam("run"),
    _slots.c.task_slug == bindparam("slug"),
    _slots.c.map_index == bindparam("index"),
)
_OF_RUNS = (
    select(_limits.c.kind, _limits.c.name, _limits.c.slots)
    .where(_limits.c.kind.in_(OF_RUNS))
    .order_by(_limits.c.id)
    .with_for_update()
)


def lock_run_limits(session: Session) -> list[Limit]:
    """The limits that apply to runs. Until the transaction ends, no one else grants slots under them."""
    return [Limit(*row) for row in readable.every(session, _OF_RUNS)]


def put(session: Session, row: NewLimit) -> LimitRow:
    """Store a limit, or change the numbers of the one with the same kind and name; return the stored row."""
    statement = upsert(session, _limits).values(row)
    statement = statement.on_conflict_do_update(
        index_elements=["kind", "name"],
        set_={"slots": row["slots"], "per": row["per"], "updated": row["updated"]},
    )
    return cast(LimitRow, session.connection().execute(statement.returning(*_limits.c)).one())


def remove(session: Session, limit_id: UUID) -> LimitRow | None:
    """Delete a limit; return its row, None when there was none."""
    statement = delete(_limits).where(_limits.c.id == limit_id).returning(*_limits.c)
    return cast(LimitRow | None, session.connection().execute(statement).one_or_none())


def new_row(id: UUID, kind: str, name: str, slots: int, per: float | None, actor: str, now: datetime) -> NewLimit:
    return {
        "id": id, "kind": kind, "name": name, "slots": slots, "per": per, "created": now, "updated": now, "created_by": actor,
    }  # fmt: skip


def take(
    session: Session, limits: Sequence[UUID], run: UUID, slug: str, index: int, attempt: int, now: datetime
) -> None:
    """Grant a task run a slot under each limit; it takes over those of an earlier attempt."""
    statement = upsert(session, _slots).on_conflict_do_update(
        index_elements=["limit_id", "flow_run_id", "task_slug", "map_index"], set_={"attempt": attempt, "at": now}
    )
    values = {"flow_run_id": run, "task_slug": slug, "map_index": index, "attempt": attempt, "at": now}
    session.connection().execute(statement, [values | {"limit_id": limit} for limit in limits])


def start(session: Session, limit: UUID, run: UUID, slug: str, index: int, since: datetime, now: datetime) -> None:
    """Note that a task run starts under a limit, and forget the starts of earlier periods."""
    connection = session.connection()
    connection.execute(delete(_starts).where(_starts.c.limit_id == limit, _starts.c.at <= since))
    row = {"limit_id": limit, "at": now, "flow_run_id": run, "task_slug": slug, "map_index": index}
    connection.execute(upsert(session, _starts).values(row).on_conflict_do_nothing())


def free(session: Session, run: UUID, tasks: Sequence[tuple[str, int]]) -> None:
    """Release all slots of these task runs."""
    rows = [{"run": run, "slug": slug, "index": index} for slug, index in sorted(tasks)]
    session.connection().execute(_FREE, rows)


def delete_stale_slots(session: Session) -> int:
    """Delete the slots that no longer count; return how many there were."""
    return int(session.connection().execute(delete(_slots).where(stale_slots())).rowcount)


def lock_tag_limits(session: Session, tags: Collection[str]) -> list[TagLimit]:
    """The limits of these task tags. Until the transaction ends, no one else grants slots under them."""
    return cast(list[TagLimit], readable.every(session, of_tags(tags).with_for_update()))
