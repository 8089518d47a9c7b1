"""Reads of the outbox, for live streams and counters."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from appliance.server.db.reads import readable
from appliance.server.db.rows.events import CountedEvent, EventRow, RunEvent
from appliance.server.db.tables import metadata

_event = metadata.tables["event"]
_run = metadata.tables["flow_run"]


def after(session: Session, event_id: int, limit: int) -> Sequence[EventRow]:
    """The events after this one, oldest first."""
    statement = select(_event).where(_event.c.id > event_id).order_by(_event.c.id)
    return cast(Sequence[EventRow], readable.rows(session, statement, limit))


def newest_id(session: Session) -> int:
    """The highest id; 0 when the outbox is empty."""
    newest: int = session.execute(select(func.coalesce(func.max(_event.c.id), 0))).scalar_one()
    return newest


def since(session: Session, event_id: int, kinds: Collection[str], limit: int) -> Sequence[CountedEvent]:
    """The events of some kinds after this one, for counters."""
    query = select(_event.c.id, _event.c.at, _event.c.object_id, _event.c.kind, _event.c.data).where(
        _event.c.id > event_id, _event.c.kind.in_(kinds)
    )
    return cast(Sequence[CountedEvent], readable.rows(session, query.order_by(_event.c.id), limit))


def with_runs_after(session: Session, event_id: int, limit: int) -> list[RunEvent]:
    """The events after this one, oldest first, with the flow and start of their runs."""
    statement = (
        select(_event.c.id, _event.c.at, _event.c.kind, _event.c.data, _run.c.flow_id, _run.c.start_time)
        .outerjoin(_run, _run.c.id == _event.c.object_id)
        .where(_event.c.id > event_id)
        .order_by(_event.c.id)
    )
    return cast(list[RunEvent], readable.rows(session, statement, limit))
