"""Reads of jobs."""

from __future__ import annotations

from datetime import datetime
from typing import cast, get_args
from uuid import UUID

from sqlalchemy import bindparam, literal, select
from sqlalchemy.orm import Session

from appliance.kit.documents import JsonDocument
from appliance.protocol.jobs import JobState
from appliance.server.db.reads import readable
from appliance.server.db.reads.pages import RowPage, only_id, read
from appliance.server.db.reads.run_filter_names import unknown
from appliance.server.db.rows.jobs import JobRow
from appliance.server.db.tables import metadata

_job = metadata.tables["job"]
OPEN = ("queued", "running")


def get(session: Session, job_id: UUID) -> JobRow | None:
    return cast(JobRow | None, session.execute(select(_job).where(_job.c.id == job_id)).one_or_none())


def public_request(row: JobRow) -> JsonDocument:
    """What was requested, without the scope that the server works out from it."""
    return {key: value for key, value in row.request.items() if key != "scope"}


def page(session: Session, limit: int, after: str | None, state: str | None = None) -> RowPage[JobRow]:
    """Jobs, newest first: their ids grow with time."""
    query = select(_job)
    if state is not None:
        if state not in get_args(JobState):
            raise unknown("state of jobs", state, get_args(JobState), "the states are")
        query = query.where(_job.c.state == state)
    if after is not None:
        query = query.where(_job.c.id < only_id(after))
    return read(session, query.order_by(_job.c.id.desc()), limit, lambda row: (row.id,))


_OVER_BEFORE = (
    select(literal(1))
    .select_from(_job)
    .where(_job.c.state.in_(("done", "cancelled", "failed")), _job.c.updated < bindparam("before"))
    .limit(1)
)


def any_over_before(session: Session, before: datetime) -> bool:
    """Whether a job ended before that time."""
    return session.execute(_OVER_BEFORE, {"before": before}).first() is not None


def unfinished(session: Session) -> list[UUID]:
    """The jobs that have not ended, oldest first."""
    statement = select(_job.c.id).where(_job.c.state.in_(OPEN)).order_by(_job.c.id)
    return readable.scalars(session, statement)
