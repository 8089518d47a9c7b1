"""Writing schedules, and finding those that the scheduler must look after."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session

from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.tables.flows import Flow
from appliance.server.db.tables.schedules import Schedule

_schedules = Schedule.__table__  # type: ignore[attr-defined]
_flows = Flow.__table__  # type: ignore[attr-defined]
_runs = FlowRun.__table__  # type: ignore[attr-defined]


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


def short_of_runs(session: Session, now: datetime, ahead: int) -> list[Any]:
    """Active schedules with fewer than `ahead` planned runs, as rows of what planning needs, longest unplanned first."""
    planned = func.count(_runs.c.id)
    statement = (
        select(
            _schedules.c.id,
            _schedules.c.document,
            _schedules.c.scheduled_until,
            _schedules.c.catch_up,
            _schedules.c.catch_up_cap,
        )
        .join(_flows, _flows.c.id == _schedules.c.flow_id)
        .outerjoin(_runs, and_(_runs.c.schedule_id == _schedules.c.id, _runs.c.due_at > now))
        .where(_schedules.c.active, ~_flows.c.archived)
        .group_by(_schedules.c.id)
        .having(or_(planned < ahead, func.min(_schedules.c.scheduled_until) <= now))
        .order_by(func.coalesce(_schedules.c.scheduled_until, _schedules.c.created))
    )
    return list(session.execute(statement).all())


def set_planned(session: Session, schedule_id: UUID, until: datetime | None) -> None:
    """Note that every due time up to `until` has been dealt with."""
    session.execute(update(_schedules).where(_schedules.c.id == schedule_id).values(scheduled_until=until))
