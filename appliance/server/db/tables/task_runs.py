"""A task run: one task of a flow run, or one child of a mapped task. Its id is derived from run, slug and map index."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from appliance.kit.documents import JsonDocument
from appliance.server.db.tables.columns import Document, Id, LongText, OneOf, Texts, Time, Whole
from appliance.server.domain.transitions import TYPES


class TaskRun(SQLModel, table=True):
    __tablename__ = "task_run"
    __table_args__ = (UniqueConstraint("flow_run_id", "task_slug", "map_index"),)

    id: UUID = Field(sa_type=Id, primary_key=True)
    flow_run_id: UUID = Field(sa_type=Id, foreign_key="flow_run.id", ondelete="CASCADE")
    task_slug: str = Field(max_length=300)
    map_index: int = Field(default=-1, sa_type=Whole)  # -1: not mapped, or the parent of the mapped children
    name: str = Field(default="", max_length=300)
    state_type: str = Field(sa_type=OneOf(*TYPES))
    state_name: str = Field(max_length=40)
    state_message: str = Field(default="", sa_type=LongText)
    state_data: JsonDocument | None = Field(default=None, sa_type=Document)
    state_at: datetime = Field(sa_type=Time)
    version: int = Field(default=1, sa_type=Whole)
    attempt: int = Field(default=1, sa_type=Whole)
    run_count: int = Field(default=0, sa_type=Whole)
    cache_key: str | None = Field(default=None, max_length=300)
    result_location: str | None = Field(default=None, sa_type=LongText)
    tags: list[str] = Field(default_factory=list, sa_type=Texts)
    start_time: datetime | None = Field(default=None, sa_type=Time)
    end_time: datetime | None = Field(default=None, sa_type=Time)
    created: datetime = Field(sa_type=Time)
