"""Writing jobs, which are bulk actions and backfills. Every step locks the job's row, so steps never overlap."""

from __future__ import annotations

from datetime import datetime
from typing import Unpack, cast
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from appliance.kit import ids
from appliance.kit.documents import JsonDocument
from appliance.server.db.reads.jobs import OPEN
from appliance.server.db.rows.jobs import JobColumns, JobRow, NewJob
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.jobs import Job
from appliance.server.domain.sanitize import clean, clean_document

_jobs = table(Job)


def row(kind: str, request: JsonDocument, created_by: str, now: datetime) -> NewJob:
    """The row of a new job."""
    return {
        "id": ids.uuid7(),
        "kind": kind,
        "request": clean_document(request),
        "progress": {},
        "state": "queued",
        "message": "",
        "total": 0,
        "done": 0,
        "refused": 0,
        "cancel_requested": False,
        "idempotency_key": None,
        "created": now,
        "updated": now,
        "created_by": clean(created_by, 200),
    }


def add(session: Session, new: NewJob) -> None:
    """Insert a job."""
    session.connection().execute(insert(_jobs).values(new))


def lock(session: Session, job_id: UUID) -> JobRow | None:
    """Lock the job until the transaction ends; None when there is no such job."""
    statement = select(_jobs).where(_jobs.c.id == job_id).with_for_update()
    return cast(JobRow | None, session.connection().execute(statement).one_or_none())


def change(session: Session, job_id: UUID, now: datetime, **values: Unpack[JobColumns]) -> None:
    """Set columns of a job that the caller has locked."""
    session.connection().execute(update(_jobs).where(_jobs.c.id == job_id).values(updated=now, **values))


def delete_old(session: Session, before: datetime, limit: int) -> int:
    """Delete jobs that ended before that time; return how many."""
    old = select(_jobs.c.id).where(_jobs.c.state.not_in(OPEN), _jobs.c.updated < before).limit(limit)
    return int(session.connection().execute(delete(_jobs).where(_jobs.c.id.in_(old))).rowcount)
