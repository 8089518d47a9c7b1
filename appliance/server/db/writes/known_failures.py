"""Writing known failures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from appliance.server.db.prepared import Prepared
from appliance.server.db.rows.known_failures import MarkedColumns, NewKnownFailure, RemovedFailure
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.known_failures import KnownFailure
from appliance.server.domain.failures import Failure

_known = table(KnownFailure)
_OPEN = _known.c.resolved_at.is_(None)
_SEEN = Prepared(
    update(_known)
    .where(
        _known.c.flow_id == bindparam("flow"),
        _known.c.task_slug == bindparam("task"),
        _known.c.fingerprint == bindparam("print"),
        _OPEN,
    )
    .values(last_run_id=bindparam("run"), last_seen=bindparam("at"))
)


def lock(session: Session, flow_id: UUID, failure: Failure) -> UUID | None:
    """The id of the open one for this failure of the flow, which stays as it is until the transaction ends."""
    statement = select(_known.c.id).where(
        _known.c.flow_id == flow_id,
        _known.c.task_slug == failure.task_slug,
        _known.c.fingerprint == failure.fingerprint,
        _OPEN,
    )
    known: UUID | None = session.connection().execute(statement.with_for_update()).scalar_one_or_none()
    return known


def add(session: Session, row: NewKnownFailure) -> None:
    session.connection().execute(insert(_known), dict(row))


def mark_again(session: Session, known_failure_id: UUID, columns: MarkedColumns) -> None:
    """Replace what was said of it when it was marked."""
    session.connection().execute(update(_known).where(_known.c.id == known_failure_id).values(**columns))


def remove(session: Session, known_failure_id: UUID) -> RemovedFailure | None:
    """Delete an open one; None if there is none with this id."""
    statement = delete(_known).where(_known.c.id == known_failure_id, _OPEN)
    gone = session.connection().execute(statement.returning(_known.c.flow_id, _known.c.task_slug)).one_or_none()
    return cast(RemovedFailure | None, gone)


def see(session: Session, flow_id: UUID, failure: Failure, run_id: UUID, at: datetime) -> None:
    """A run of the flow has failed like this: note it at the open one, if there is one."""
    values = {"flow": flow_id, "task": failure.task_slug, "print": failure.fingerprint, "run": run_id, "at": at}
    _SEEN.change(session, values)


def resolve(session: Session, flow_id: UUID, run_id: UUID, at: datetime) -> Sequence[UUID]:
    """This run of the flow has succeeded: resolve what is open of the flow; the ids."""
    statement = update(_known).where(_known.c.flow_id == flow_id, _OPEN)
    changed = statement.values(resolved_at=at, resolved_by_run=run_id).returning(_known.c.id)
    return session.connection().execute(changed).scalars().all()
