"""Writing schedules, and finding those that the scheduler must look after."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import bindparam, delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from appliance.kit.documents import JsonDocument
from appliance.server.db.rows.schedules import NewSkip, PlanUpdate, SkipRow
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.tables.flows import Flow
from appliance.server.db.tables.schedule_skips import ScheduleSkip
from appliance.server.db.tables.schedules import Schedule
from appliance.server.db.writes.flow_runs import SCHEDULED_NOW

_schedules = table(Schedule)
_flows = table(Flow)
_runs = table(FlowRun)
_skips = table(ScheduleSkip)
_ACTIVE = text("schedule.active")  # written out, so that the planner sees that the partial index serves


def locked(session: Session, schedule_id: UUID, skip_locked: bool = False) -> Schedule | None:
    """The schedule as it is now, held until the transaction ends; None when it is gone (or held by another scheduler)."""
    statement = select(Schedule).where(_schedules.c.id == schedule_id)
    return session.execute(
        statement.with_for_update(key_share=True, skip_locked=skip_locked).execution_options(populate_existing=True)
    ).scalar_one_or_none()


def of_flow(session: Session, flow_id: UUID) -> list[Schedule]:
    """The schedules of a flow, oldest first, held until the transaction ends."""
    statement = select(Schedule).where(_schedules.c.flow_id == flow_id).order_by(_schedules.c.id)
    return list(session.execute(statement.with_for_update(key_share=True)).scalars())


def to_plan(session: Session, now: datetime) -> list[UUID]:
    """The active schedules whose next look is due, the most overdue first."""
    statement = (
        select(_schedules.c.id)
        .join(_flows, _flows.c.id == _schedules.c.flow_id)
        .where(_ACTIVE, _schedules.c.plan_at <= now, ~_flows.c.archived)
        .order_by(_schedules.c.plan_at)
    )
    return list(session.execute(statement).scalars())


def planned(session: Session, now: datetime) -> dict[UUID, list[datetime]]:
    """The due times of the runs that are only planned, by schedule, of schedules that are active."""
    statement = (
        select(_runs.c.schedule_id, _runs.c.due_at)
        .join(_schedules, _schedules.c.id == _runs.c.schedule_id)
        .where(SCHEDULED_NOW, _runs.c.due_at > now, _runs.c.attempt == 0, _ACTIVE)
    )
    found: dict[UUID, list[datetime]] = {}
    for schedule_id, due_at in session.execute(statement):
        found.setdefault(schedule_id, []).append(due_at)
    return found


def documents(session: Session, ids: Sequence[UUID]) -> dict[UUID, JsonDocument]:
    """The documents of schedules, by id."""
    statement = select(_schedules.c.id, _schedules.c.document).where(_schedules.c.id.in_(ids))
    return {schedule_id: document for schedule_id, document in session.execute(statement)}


def locked_active(session: Session, ids: Sequence[UUID]) -> list[Schedule]:
    """Those of these schedules that are active and that no other scheduler holds, held until the transaction ends."""
    statement = select(Schedule).where(_ACTIVE, _schedules.c.id.in_(ids)).order_by(_schedules.c.id)
    return list(session.execute(statement.with_for_update(key_share=True, skip_locked=True)).scalars())


def set_planned(session: Session, rows: list[PlanUpdate]) -> None:
    """Note up to when every due time has been dealt with and when to look next: rows of {schedule, until, again}."""
    statement = update(_schedules).where(_schedules.c.id == bindparam("schedule"))
    session.connection().execute(statement.values(scheduled_until=bindparam("until"), plan_at=bindparam("again")), rows)


def deleted_times(session: Session, schedule_ids: Collection[UUID], since: datetime) -> set[tuple[UUID, datetime]]:
    """The due times from `since` on whose runs people have deleted, so that none is made for them again."""
    statement = select(_skips.c.schedule_id, _skips.c.last).where(
        _skips.c.schedule_id.in_(schedule_ids), _skips.c.last >= since, _skips.c.code == "deleted"
    )
    return {(row.schedule_id, row.last) for row in session.execute(statement)}


def unskip(session: Session, schedule_id: UUID, times: Sequence[datetime]) -> None:
    """Take due times that have got a run after all out of the ranges of those that have none."""
    for time in times:
        within = (_skips.c.schedule_id == schedule_id, _skips.c.first <= time, _skips.c.last >= time)
        chosen = select(_skips.c.id).where(*within).order_by(_skips.c.count, _skips.c.id).limit(1).scalar_subquery()
        session.connection().execute(update(_skips).where(_skips.c.id == chosen).values(count=_skips.c.count - 1))
    session.connection().execute(delete(_skips).where(_skips.c.schedule_id == schedule_id, _skips.c.count <= 0))


def skips_after(session: Session, schedule: Schedule, now: datetime) -> list[SkipRow]:
    """The records of missed times of this version of the schedule that reach beyond `now`: a clock was wrong when they were made."""
    mine = (_skips.c.schedule_id == schedule.id, _skips.c.version == schedule.version, _skips.c.code == "catch_up")
    return cast(list[SkipRow], session.execute(select(_skips).where(*mine, _skips.c.last > now)).all())


def shorten_skip(session: Session, id: int, times: Sequence[datetime]) -> None:
    """Have a record stand for no more than those of these times that have no run."""
    chosen = _skips.c.id == id
    if not times:
        session.connection().execute(delete(_skips).where(chosen))
        return
    run = (_runs.c.schedule_id == _skips.c.schedule_id, _runs.c.due_at.between(times[0], times[-1]))
    runs = select(func.count()).select_from(_runs).where(*run).scalar_subquery()
    session.connection().execute(update(_skips).where(chosen).values(last=times[-1], count=len(times) - runs))


def without_runs(session: Session, rows: list[NewSkip]) -> list[NewSkip]:
    """Records of missed times less those that have a run all the same, as after the clock was behind for a while."""
    found: list[NewSkip] = []
    for row in rows:
        run = (_runs.c.schedule_id == row["schedule_id"], _runs.c.due_at.between(row["first"], row["last"]))
        runs = session.execute(select(func.count()).select_from(_runs).where(*run)).scalar_one()
        if row["count"] > runs:
            found.append({**row, "count": row["count"] - runs})
    return found


def add_skips(session: Session, rows: list[NewSkip]) -> None:
    """Record due times that get no run."""
    if rows:
        session.connection().execute(insert(ScheduleSkip), rows)
