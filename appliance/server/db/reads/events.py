"""Reads of the outbox, for live streams and counters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sqlalchemy import BigInteger, Integer, bindparam, func, select
from sqlalchemy.orm import Session

from appliance.server.db.prepared import Prepared
from appliance.server.db.reads import readable
from appliance.server.db.rows.events import EventRow, RunEvent
from appliance.server.db.tables import metadata

_event = metadata.tables["event"]
_run = metadata.tables["flow_run"]
_TIMES = (_run.c.flow_id, _run.c.start_time, _run.c.scheduled_time, _run.c.created)
_WITH_RUNS = Prepared(
    select(_event.c.id, _event.c.at, _event.c.kind, _event.c.data, *_TIMES)
    .outerjoin(_run, _run.c.id == _event.c.object_id)
    .where(_event.c.id > bindparam("after", type_=BigInteger))
    .order_by(_event.c.id)
    .limit(bindparam("most", type_=Integer))
)


def after(session: Session, event_id: int, limit: int) -> Sequence[EventRow]:
    """The events after this one, oldest first."""
    statement = select(_event).where(_event.c.id > event_id).order_by(_event.c.id)
    return cast(Sequence[EventRow], readable.rows(session, statement, limit))


def newest_id(session: Session) -> int:
    """The highest id; 0 when the outbox is empty."""
    newest: int = session.execute(select(func.coalesce(func.max(_event.c.id), 0))).scalar_one()
    return newest


def with_runs_after(session: Session, event_id: int, limit: int) -> list[RunEvent]:
    """The events after this one, oldest first, with the flow and times of their runs."""
    return cast(list[RunEvent], readable.rows(session, _WITH_RUNS, limit, {"after": event_id}))
