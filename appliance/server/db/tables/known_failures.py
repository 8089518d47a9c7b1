"""Failures that a person has marked as known: a flow, one of its tasks, and what the message says. The next success of the flow resolves them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from appliance.server.db.tables.columns import Id, LongText, Time, partial_index

_OPEN = "resolved_at is null"


class KnownFailure(SQLModel, table=True):
    __tablename__ = "known_failure"
    __table_args__ = (
        partial_index("uq_known_failure_open", "flow_id", "task_slug", "fingerprint", where=_OPEN, unique=True),
        partial_index("ix_known_failure_open_id", "id", where=_OPEN),
        partial_index("ix_known_failure_resolved_at", "resolved_at", where="resolved_at is not null"),
    )

    id: UUID = Field(sa_type=Id, primary_key=True)
    flow_id: UUID = Field(sa_type=Id, foreign_key="flow.id", ondelete="CASCADE", index=True)
    task_slug: str = Field(max_length=300)  # empty: no task of the run is the cause
    fingerprint: str = Field(max_length=200)  # domain.failures.fingerprint
    message: str = Field(sa_type=LongText)  # as it was when it was marked
    reason: str = Field(max_length=500)
    until: datetime | None = Field(default=None, sa_type=Time)  # null: until it is resolved
    marked_by: str = Field(max_length=200)
    marked_at: datetime = Field(sa_type=Time)
    last_run_id: UUID = Field(sa_type=Id)  # the run that failed last for this cause, which may be deleted
    last_seen: datetime = Field(sa_type=Time)  # when it failed
    resolved_at: datetime | None = Field(default=None, sa_type=Time)
    resolved_by_run: UUID | None = Field(default=None, sa_type=Id)
