"""Adding ended runs to the sums of their hours, and the position in the outbox up to which that is done: one transaction."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import case, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from appliance.server.db.rows.events import RunEvent
from appliance.server.db.rows.rollups import NewRollup
from appliance.server.db.tables import metadata

_setting = metadata.tables["setting"]
_event = metadata.tables["event"]
_run = metadata.tables["flow_run"]
_rollup = metadata.tables["run_rollup"]
POSITION = "rollups.position"
_SETTLED = timedelta(seconds=10)
"""How long after its time an event may still come into sight on Postgres, when its transaction has just begun."""


def take_position(session: Session, now: datetime) -> int:
    """The last event that was summed up. Held until the transaction ends: nobody else sums up meanwhile."""
    insert = _insert(session)
    values = {"name": POSITION, "value": "0", "updated": now}
    session.connection().execute(insert(_setting).values(values).on_conflict_do_nothing())
    statement = select(_setting.c.value).where(_setting.c.name == POSITION).with_for_update()
    return int(session.execute(statement).scalar_one())


def set_position(session: Session, event_id: int, now: datetime) -> None:
    statement = _setting.update().where(_setting.c.name == POSITION)
    session.connection().execute(statement.values(value=str(event_id), updated=now))


def settled(session: Session, now: datetime) -> datetime | None:
    """Events before this time have all come into sight; None when that holds for every one.

    Postgres hands out ids before their transactions end, so a lower id may appear after a higher one: events wait until no
    transaction that changes something is as old as they are.
    """
    if session.get_bind().dialect.name != "postgresql":
        return None
    statement = text(
        "select min(xact_start) from pg_stat_activity where datname = current_database() and backend_xid is not null"
        " and pid <> pg_backend_pid()"
    )
    oldest: datetime | None = session.execute(statement).scalar()
    return min(now, oldest or now) - _SETTLED


def events_after(session: Session, event_id: int, limit: int) -> list[RunEvent]:
    """What happened after this event, in order, with the flow and the start of runs."""
    statement = (
        select(_event.c.id, _event.c.at, _event.c.kind, _event.c.data, _run.c.flow_id, _run.c.start_time)
        .outerjoin(_run, _run.c.id == _event.c.object_id)
        .where(_event.c.id > event_id)
        .order_by(_event.c.id)
        .limit(limit)
    )
    return cast(list[RunEvent], session.connection().execute(statement).all())


def add(session: Session, rows: list[NewRollup]) -> None:
    """Add sums to those of the same flow, hour and state."""
    if not rows:
        return
    statement = _insert(session)(_rollup)
    new = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=["flow_id", "hour", "state_name"],
        set_={
            "runs": _rollup.c.runs + new.runs,
            "seconds": _rollup.c.seconds + new.seconds,
            "longest": case((_rollup.c.longest > new.longest, _rollup.c.longest), else_=new.longest),
        },
    )
    session.connection().execute(statement, rows)


def _insert(session: Session) -> Any:
    return postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
