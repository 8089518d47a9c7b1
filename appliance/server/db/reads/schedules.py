"""Reads of schedules."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.server.db.reads.pages import RowPage, Rows, encode, only_id
from appliance.server.db.tables import metadata

_schedule = metadata.tables["schedule"]
MOST = 500


def of_flows(session: Session, flow_ids: Collection[UUID]) -> Rows:
    query = select(_schedule).where(_schedule.c.flow_id.in_(flow_ids))
    return session.execute(
        query.order_by(_schedule.c.created, _schedule.c.id).limit(MOST * max(1, len(flow_ids)))
    ).all()


def page(session: Session, limit: int, after: str | None, flow_id: UUID | None = None) -> RowPage:
    """Schedules of one flow or of all, the oldest first: their ids grow with time."""
    query = select(_schedule)
    if flow_id is not None:
        query = query.where(_schedule.c.flow_id == flow_id)
    if after is not None:
        query = query.where(_schedule.c.id > only_id(after))
    rows = session.execute(query.order_by(_schedule.c.id).limit(limit + 1)).all()
    more = len(rows) > limit
    rows = rows[:limit]
    return RowPage(rows, encode(rows[-1].id) if more else None)


def get(session: Session, schedule_id: UUID) -> Any | None:
    return session.execute(select(_schedule).where(_schedule.c.id == schedule_id)).one_or_none()
