"""The append-only histories of flow runs and task runs: versions 1..n, never changed, never a gap."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from appliance.kit.documents import JsonDocument
from appliance.server.db.tables.columns import Document, Id, LongText, OneOf, Time, Whole
from appliance.server.domain.transitions import TYPES


class FlowRunState(SQLModel, table=True):
    __tablename__ = "flow_run_state"

    flow_run_id: UUID = Field(sa_type=Id, primary_key=True, foreign_key="flow_run.id", ondelete="CASCADE")
    version: int = Field(sa_type=Whole, primary_key=True)
    attempt: int = Field(default=0, sa_type=Whole)
    type: str = Field(sa_type=OneOf(*TYPES))
    name: str = Field(max_length=40)
    message: str = Field(default="", sa_type=LongText)
    data: JsonDocument | None = Field(default=None, sa_type=Document)
    at: datetime = Field(sa_type=Time)
    actor: str = Field(default="", max_length=200)


class TaskRunState(SQLModel, table=True):
    __tablename__ = "task_run_state"

    task_run_id: UUID = Field(sa_type=Id, primary_key=True, foreign_key="task_run.id", ondelete="CASCADE")
    version: int = Field(sa_type=Whole, primary_key=True)
    attempt: int = Field(default=1, sa_type=Whole)
    type: str = Field(sa_type=OneOf(*TYPES))
    name: str = Field(max_length=40)
    message: str = Field(default="", sa_type=LongText)
    data: JsonDocument | None = Field(default=None, sa_type=Document)
    at: datetime = Field(sa_type=Time)
