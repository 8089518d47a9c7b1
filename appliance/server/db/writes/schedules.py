"""Writing and locking schedules, and recording due times that get no run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from appliance.server.db.reads import readable
from appliance.server.db.reads.schedules import ACTIVE
from appliance.server.db.rows.schedules import NewSkip, PlanUpdate
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.tables.flows import Flow
from appliance.server.db.tables.schedule_skips import ScheduleSkip
from appliance.server.db.tables.schedules import Schedule

_schedules = table(Schedule)
_flows = table(Flow)
_runs = table(FlowRun)
_skips = table(ScheduleSkip)


def lock(session: Session, schedule_id: UUID, skip_locked: bool = False) -> Schedule | None:
    """Lock the schedule until the transaction ends; None when it is gone, or with `skip_locked` when another scheduler has it."""
    statement = select(Schedule).where(_schedules.c.id == schedule_id)
    return session.execute(
        statement.with_for_update(key_share=True, skip_locked=skip_locked).execution_options(populate_existing=True)
    ).scalar_one_or_none()


def lock_of_flow(session: Session, flow_id: UUID) -> list[Schedule]:
    """Lock the schedules of a flow until the transaction ends; oldest first."""
    statement = select(Schedule).where(_schedules.c.flow_id == flow_id).order_by(_schedules.c.id)
    return readable.objects(session, statement.with_for_update(key_share=True))


def lock_active(session: Session, ids: Sequence[UUID]) -> list[Schedule]:
    """Lock those of these schedules that are active and that no other scheduler has locked."""
    statement = select(Schedule).where(ACTIVE, _schedules.c.id.in_(ids)).order_by(_schedules.c.id)
    return readable.objects(session, statement.with_for_update(key_share=True, skip_locked=True))


def set_planned(session: Session, rows: list[PlanUpdate]) -> None:
    """Record up to when each schedule is planned, and when to look at it again."""
    statement = update(_schedules).where(_schedules.c.id == bindparam("schedule"))
    session.connection().execute(statement.values(scheduled_until=bindparam("until"), plan_at=bindparam("again")), rows)


def unskip(session: Session, schedule_id: UUID, times: Sequence[datetime]) -> None:
    """Take due times that have a run after all out of the records of those without one."""
    for time in times:
        within = (_skips.c.schedule_id == schedule_id, _skips.c.first <= time, _skips.c.last >= time)
        chosen = select(_skips.c.id).where(*within).order_by(_skips.c.count, _skips.c.id).limit(1).scalar_subquery()
        session.connection().execute(update(_skips).where(_skips.c.id == chosen).values(count=_skips.c.count - 1))
    session.connection().execute(delete(_skips).where(_skips.c.schedule_id == schedule_id, _skips.c.count <= 0))


def shorten_skip(session: Session, id: int, times: Sequence[datetime]) -> None:
    """Shrink a record to those of these times that have no run."""
    chosen = _skips.c.id == id
    if not times:
        session.connection().execute(delete(_skips).where(chosen))
        return
    run = (_runs.c.schedule_id == _skips.c.schedule_id, _runs.c.due_at.between(times[0], times[-1]))
    runs = select(func.count()).select_from(_runs).where(*run).scalar_subquery()
    session.connection().execute(update(_skips).where(chosen).values(last=times[-1], count=len(times) - runs))


def keep_skips(session: Session, ids: Sequence[int], version: int) -> None:
    """These skips hold for another version of their schedule, too."""
    if ids:
        session.connection().execute(update(_skips).where(_skips.c.id.in_(ids)).values(version=version))


def remove_skips(session: Session, ids: Sequence[int]) -> None:
    """Due times that get no run get one again."""
    if ids:
        session.connection().execute(delete(_skips).where(_skips.c.id.in_(ids)))


def add_skips(session: Session, rows: list[NewSkip]) -> None:
    """Record due times that get no run."""
    if rows:
        session.connection().execute(insert(ScheduleSkip), rows)
