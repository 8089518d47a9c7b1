"""Reads of schedules."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.server.db.reads.pages import RowPage, encode, only_id, text_key, unusable
from appliance.server.db.rows.schedules import ScheduleRow, SkipRow
from appliance.server.db.tables import metadata

_schedule = metadata.tables["schedule"]
_skip = metadata.tables["schedule_skip"]
MOST = 500


def of_flows(session: Session, flow_ids: Collection[UUID]) -> Sequence[ScheduleRow]:
    query = select(_schedule).where(_schedule.c.flow_id.in_(flow_ids))
    query = query.order_by(_schedule.c.created, _schedule.c.id).limit(MOST * max(1, len(flow_ids)))
    return cast(Sequence[ScheduleRow], session.execute(query).all())


def page(session: Session, limit: int, after: str | None, flow_id: UUID | None = None) -> RowPage[ScheduleRow]:
    """Schedules of one flow or of all, the oldest first: their ids grow with time."""
    query = select(_schedule)
    if flow_id is not None:
        query = query.where(_schedule.c.flow_id == flow_id)
    if after is not None:
        query = query.where(_schedule.c.id > only_id(after))
    rows = cast(Sequence[ScheduleRow], session.execute(query.order_by(_schedule.c.id).limit(limit + 1)).all())
    more = len(rows) > limit
    rows = rows[:limit]
    return RowPage(rows, encode(rows[-1].id) if more else None)


def skips(session: Session, schedule_id: UUID, limit: int, after: str | None) -> RowPage[SkipRow]:
    """Due times of a schedule that got no run, the newest first."""
    query = select(_skip).where(_skip.c.schedule_id == schedule_id)
    if after is not None:
        last, skip_id = text_key(after, 2)
        query = query.where(tuple_(_skip.c.last, _skip.c.id) < _skip_key(last, skip_id))
    query = query.order_by(_skip.c.last.desc(), _skip.c.id.desc()).limit(limit + 1)
    rows = cast(Sequence[SkipRow], session.execute(query).all())
    more = len(rows) > limit
    rows = rows[:limit]
    return RowPage(rows, encode(rows[-1].last, rows[-1].id) if more else None)


def _skip_key(last: str, skip_id: str) -> tuple[datetime, int]:
    try:
        return clock.parse(last), int(skip_id)
    except ValueError as error:
        raise unusable() from error


def get(session: Session, schedule_id: UUID) -> ScheduleRow | None:
    statement = select(_schedule).where(_schedule.c.id == schedule_id)
    return cast(ScheduleRow | None, session.execute(statement).one_or_none())
