"""Reads of the hourly sums of how runs ended: of all flows, those of a project, or one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from appliance.server.db.reads import readable
from appliance.server.db.reads.settings import Stored
from appliance.server.db.rows.rollups import HourSum
from appliance.server.db.tables import metadata
from appliance.server.db.tables.columns import Time
from appliance.server.domain.run_totals import RunTotals

_rollup = metadata.tables["run_rollup"]
_flow = metadata.tables["flow"]
_project = metadata.tables["project"]
POSITION = Stored("rollups.position", int)
"""The id of the last event in the sums."""
TOTALS = Stored("rollups.totals", RunTotals)
"""Of all runs, for the counters of /metrics."""
_SETTLED = timedelta(seconds=10)
"""How long after its time an event may still become visible on Postgres, even when its transaction has just begun."""


def per_hour(
    session: Session, since: datetime, until: datetime, flow_id: UUID | None = None, project: str | None = None
) -> Sequence[HourSum]:
    """The sums of each hour from `since` to before `until`, by state, oldest first."""
    query = select(
        _rollup.c.hour,
        _rollup.c.state_type,
        _rollup.c.state_name,
        func.sum(_rollup.c.runs).label("runs"),
        func.sum(_rollup.c.seconds).label("seconds"),
        func.max(_rollup.c.longest).label("longest"),
    ).where(_rollup.c.hour >= since, _rollup.c.hour < until)
    if flow_id is not None:
        query = query.where(_rollup.c.flow_id == flow_id)
    if project is not None:
        flows = select(_flow.c.id).join(_project, _project.c.id == _flow.c.project_id).where(_project.c.name == project)
        query = query.where(_rollup.c.flow_id.in_(flows))
    query = query.group_by(_rollup.c.hour, _rollup.c.state_name, _rollup.c.state_type)  # as the index has them
    return cast(Sequence[HourSum], readable.every(session, query.order_by(_rollup.c.hour, _rollup.c.state_name)))


def settled(session: Session, now: datetime) -> datetime | None:
    """All events before this time are visible; None when that holds for every event.

    Postgres assigns ids before transactions end, so a lower id may appear after a higher one. An event is counted once no writing
    transaction is as old as the event.
    """
    if session.get_bind().dialect.name != "postgresql":
        return None
    statement = text(
        "select min(xact_start) as oldest from pg_stat_activity where datname = current_database() and backend_xid is not null"
        " and pid <> pg_backend_pid()"
    ).columns(oldest=Time)
    oldest: datetime | None = session.execute(statement).scalar()
    return min(now, oldest or now) - _SETTLED
