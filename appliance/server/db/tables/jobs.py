"""Work that takes more than one transaction: bulk actions and backfills, with their progress."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from appliance.kit.documents import JsonDocument
from appliance.server.db.tables.columns import Document, Id, LongText, OneOf, Time, Whole


class Job(SQLModel, table=True):
    __tablename__ = "job"

    id: UUID = Field(sa_type=Id, primary_key=True)
    kind: str = Field(max_length=40)  # cancel, restart, delete, mark_as, backfill, ...
    request: JsonDocument = Field(default_factory=dict, sa_type=Document)
    progress: JsonDocument = Field(default_factory=dict, sa_type=Document)  # where to continue
    state: str = Field(default="queued", sa_type=OneOf("queued", "running", "done", "cancelled", "failed"), index=True)
    message: str = Field(default="", sa_type=LongText)
    total: int = Field(default=0, sa_type=Whole)
    done: int = Field(default=0, sa_type=Whole)
    refused: int = Field(default=0, sa_type=Whole)
    cancel_requested: bool = False
    idempotency_key: str | None = Field(default=None, max_length=200, unique=True)
    created: datetime = Field(sa_type=Time)
    updated: datetime = Field(sa_type=Time)
    created_by: str = Field(default="", max_length=200)
