"""Reads of runs that something is wrong with: overdue to start, without a word from their process, or past a deadline."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from appliance.server.db.conditions import LIVE_NOW, MAY_BE_LATE
from appliance.server.db.tables import metadata
from appliance.server.domain.transitions import CANCELLING, FIRST, PENDING

_run = metadata.tables["flow_run"]


def expired(session: Session, now: datetime, limit: int) -> list[UUID]:
    """Live runs whose lease is over, longest over first."""
    statement = select(_run.c.id).where(LIVE_NOW, _run.c.lease_expires_at < now)
    return list(session.execute(statement.order_by(_run.c.lease_expires_at).limit(limit)).scalars())


def stuck(session: Session, taken_before: datetime, asked_before: datetime, limit: int) -> list[UUID]:
    """Live runs that were taken by then and have not begun, or were asked to stop by then and have not ended."""
    statement = select(_run.c.id).where(
        LIVE_NOW,
        or_(
            and_(_run.c.state_type == PENDING, _run.c.state_at < taken_before),
            and_(_run.c.state_type == CANCELLING, _run.c.state_at < asked_before),
        ),
    )
    return list(session.execute(statement.order_by(_run.c.state_at).limit(limit)).scalars())


def waits_since(session: Session, due_before: datetime) -> bool:
    """Is there a run that was due by then and is still called Scheduled?"""
    return session.execute(waiting_since(due_before).limit(1)).first() is not None


def has_lease_after(session: Session, latest: datetime) -> bool:
    """Does a live run have a lease that is longer than this?"""
    statement = select(_run.c.id).where(LIVE_NOW, _run.c.lease_expires_at > latest).limit(1)
    return session.execute(statement).first() is not None


def waiting_since(due_before: datetime) -> Select[tuple[UUID]]:
    """The statement for the runs that were due by then and are still called Scheduled."""
    return select(_run.c.id).where(MAY_BE_LATE, _run.c.state_name == FIRST.name, _run.c.scheduled_time < due_before)
