"""Adding ended runs to the hourly sums and recording the position in the outbox, in one transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from appliance.server.db.reads import events, readable
from appliance.server.db.reads.rollups import POSITION
from appliance.server.db.rows.rollups import NewRollup
from appliance.server.db.tables import metadata
from appliance.server.db.upserts import upsert

_setting = metadata.tables["setting"]
_event = metadata.tables["event"]
_run = metadata.tables["flow_run"]
_rollup = metadata.tables["run_rollup"]


def take_position(session: Session, now: datetime) -> int:
    """The last event that was counted; locked until the transaction ends, so that no one else counts meanwhile. If it can't be read, it
    is the newest one, since none may count twice."""
    values = {"name": POSITION.name, "value": "0", "updated": now}
    session.connection().execute(upsert(session, _setting).values(values).on_conflict_do_nothing())
    statement = select(_setting.c.value).where(_setting.c.name == POSITION.name).with_for_update()
    text = next(iter(readable.scalars(session, statement)), None)
    counted = POSITION.decoded(text)
    return events.newest_id(session) if counted is None else counted


def set_position(session: Session, event_id: int, now: datetime) -> None:
    statement = _setting.update().where(_setting.c.name == POSITION.name)
    session.connection().execute(statement.values(value=str(event_id), updated=now))


def add(session: Session, rows: list[NewRollup]) -> None:
    """Add sums to those of the same flow, hour and state."""
    if not rows:
        return
    statement = upsert(session, _rollup)
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
