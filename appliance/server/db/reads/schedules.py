"""Reads of schedules."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.server.db.reads.pages import Rows
from appliance.server.db.tables import metadata

_schedule = metadata.tables["schedule"]
MOST = 500


def of_flows(session: Session, flow_ids: Collection[UUID]) -> Rows:
    query = select(_schedule).where(_schedule.c.flow_id.in_(flow_ids))
    return session.execute(
        query.order_by(_schedule.c.created, _schedule.c.id).limit(MOST * max(1, len(flow_ids)))
    ).all()


def get(session: Session, schedule_id: UUID) -> Any | None:
    return session.execute(select(_schedule).where(_schedule.c.id == schedule_id)).one_or_none()
