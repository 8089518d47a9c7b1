"""Reads of runs that need attention: late to start, silent, or past a deadline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import Integer, Select, and_, bindparam, literal, or_, select
from sqlalchemy.orm import Session

from appliance.server.db.conditions import LIVE_NOW, MAY_BE_LATE
from appliance.server.db.prepared import Prepared
from appliance.server.db.reads import readable
from appliance.server.db.rows.flow_runs import RunEnd, RunningRun
from appliance.server.db.tables import metadata
from appliance.server.domain.transitions import CANCELLING, FAILED, FIRST, PENDING, RUNNING, SUCCESS

_run = metadata.tables["flow_run"]
_flow = metadata.tables["flow"]
_state = metadata.tables["flow_run_state"]
_LAST_ENDS = Prepared(
    select(_run.c.id, _run.c.state_name)
    .where(
        _run.c.flow_id == bindparam("flow"),
        or_(_run.c.state_type == SUCCESS, _run.c.state_type == FAILED),
        _run.c.state_name != "Skipped",
    )
    .order_by(_run.c.scheduled_time.desc(), _run.c.id.desc())
    .limit(bindparam("most", type_=Integer))
)
_LAST_ENDS_OF = Prepared(
    select(_state.c.name)
    .where(_state.c.flow_run_id == bindparam("run"), or_(_state.c.type == SUCCESS, _state.c.type == FAILED))
    .order_by(_state.c.version.desc())
    .limit(bindparam("most", type_=Integer))
)


def expired(session: Session, now: datetime, limit: int) -> list[UUID]:
    """Live runs whose lease has expired, the longest expired first."""
    statement = select(_run.c.id).where(LIVE_NOW, _run.c.lease_expires_at < now)
    return readable.scalars(session, statement.order_by(_run.c.lease_expires_at).limit(limit))


def stuck(session: Session, taken_before: datetime, stopped_before: datetime, limit: int) -> list[UUID]:
    """Live runs that were taken by `taken_before` and have not started, or were cancelled by `stopped_before` and have not ended."""
    statement = select(_run.c.id).where(
        LIVE_NOW,
        or_(
            and_(_run.c.state_type == PENDING, _run.c.state_at < taken_before),
            and_(_run.c.state_type == CANCELLING, _run.c.state_at < stopped_before),
        ),
    )
    return readable.scalars(session, statement.order_by(_run.c.state_at).limit(limit))


def running(session: Session, started_before: datetime) -> list[RunningRun]:
    """Runs that have been running since then, with what decides how long they may."""
    statement = (
        select(_run.c.id, _run.c.start_time, _run.c.run_config, _flow.c.settings)
        .join(_flow, _flow.c.id == _run.c.flow_id)
        .where(LIVE_NOW, _run.c.state_type == RUNNING, _run.c.start_time < started_before)
    )
    return cast(list[RunningRun], readable.every(session, statement))


def last_ends(session: Session, flow_id: UUID, limit: int) -> Sequence[RunEnd]:
    """How the last of the flow's runs have ended, by due time, the latest first; without those that were cancelled or skipped."""
    return cast(Sequence[RunEnd], readable.every(session, _LAST_ENDS, {"flow": flow_id, "most": limit}))


def last_ends_of(session: Session, run_id: UUID, limit: int) -> list[str]:
    """The names of the states in which the last attempts of a run have ended, the newest first."""
    return [row.name for row in readable.every(session, _LAST_ENDS_OF, {"run": run_id, "most": limit})]


def any_waiting_since(session: Session, due_before: datetime) -> bool:
    """Whether a run that was due by then is still called Scheduled."""
    return session.execute(waiting_since(due_before).with_only_columns(literal(1)).limit(1)).first() is not None


def has_lease_after(session: Session, latest: datetime) -> bool:
    """Whether a live run has a lease that ends after this time."""
    statement = select(literal(1)).select_from(_run).where(LIVE_NOW, _run.c.lease_expires_at > latest).limit(1)
    return session.execute(statement).first() is not None


def waiting_since(due_before: datetime) -> Select[tuple[UUID]]:
    """The statement for the runs that were due by then and are still called Scheduled."""
    return select(_run.c.id).where(MAY_BE_LATE, _run.c.state_name == FIRST.name, _run.c.scheduled_time < due_before)
