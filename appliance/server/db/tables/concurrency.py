"""Limits on what runs concurrently and on how often tasks start, and the task runs that hold slots. Usage is counted, never stored."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from appliance.server.db.tables.columns import Id, OneOf, Time, Whole


class ConcurrencyLimit(SQLModel, table=True):
    __tablename__ = "concurrency_limit"
    __table_args__ = (UniqueConstraint("kind", "name"),)

    id: UUID = Field(sa_type=Id, primary_key=True)
    kind: str = Field(sa_type=OneOf("flow", "label", "task_tag", "task_rate"))
    name: str = Field(max_length=300)  # of a flow: its id
    slots: int = Field(sa_type=Whole)  # 0 lets nothing start; of a task_rate: how many may start in each period
    per: float | None = None  # seconds; only of a task_rate
    created: datetime = Field(sa_type=Time)
    updated: datetime = Field(sa_type=Time)
    created_by: str = Field(default="", max_length=200)


class TaskStart(SQLModel, table=True):
    """A task run that has started under a limit of the kind task_rate, within the last period of that limit."""

    __tablename__ = "task_start"

    limit_id: UUID = Field(sa_type=Id, primary_key=True, foreign_key="concurrency_limit.id", ondelete="CASCADE")
    at: datetime = Field(sa_type=Time, primary_key=True)
    flow_run_id: UUID = Field(sa_type=Id, primary_key=True)  # which may have been deleted since
    task_slug: str = Field(primary_key=True, max_length=300)
    map_index: int = Field(sa_type=Whole, primary_key=True)


class TaskSlot(SQLModel, table=True):
    """Counts only while its attempt is the live attempt of its run."""

    __tablename__ = "task_slot"

    limit_id: UUID = Field(sa_type=Id, primary_key=True, foreign_key="concurrency_limit.id", ondelete="CASCADE")
    flow_run_id: UUID = Field(sa_type=Id, primary_key=True, foreign_key="flow_run.id", ondelete="CASCADE", index=True)
    task_slug: str = Field(primary_key=True, max_length=300)
    map_index: int = Field(sa_type=Whole, primary_key=True)
    attempt: int = Field(sa_type=Whole)
    at: datetime = Field(sa_type=Time)
