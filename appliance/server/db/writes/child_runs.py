"""Writes what a task run knows of the run that it has started."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from appliance.server.db.tables.columns import table
from appliance.server.db.tables.flow_runs import FlowRun

_runs = table(FlowRun)
BEFORE = "before"
"""In place of a try: the failure was there when the parent was restarted."""


def note_failures(session: Session, parent: UUID) -> None:
    """Children of the run that have failed by now are to be restarted by the next tries of their tasks."""
    failed = (_runs.c.parent_flow_run_id == parent, _runs.c.state_type.in_(("FAILED", "CANCELLED")))
    statement = update(_runs).where(*failed, _runs.c.parent_try.is_(None))
    session.connection().execute(statement.values(parent_try=BEFORE))


def wait_for(session: Session, child: UUID) -> None:
    """A task needs the end of the child."""
    session.connection().execute(update(_runs).where(_runs.c.id == child).values(parent_waits=True))


def note_try(session: Session, child: UUID, this_try: str | None) -> None:
    """This try of the task knows that the child has failed; None: no try does."""
    session.connection().execute(update(_runs).where(_runs.c.id == child).values(parent_try=this_try))
