"""Due times of a schedule that got no run, and why. A row stands for all those from `first` to `last`."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from appliance.server.db.tables.columns import BigKey, Id, LongText, Time, Whole


class ScheduleSkip(SQLModel, table=True):
    __tablename__ = "schedule_skip"
    __table_args__ = (Index("ix_schedule_skip_schedule_id_last", "schedule_id", "last"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    schedule_id: UUID = Field(sa_type=Id, foreign_key="schedule.id", ondelete="CASCADE")
    version: int = Field(sa_type=Whole)  # of the schedule
    first: datetime = Field(sa_type=Time)
    last: datetime = Field(sa_type=Time)
    count: int = Field(sa_type=BigKey)
    code: str = Field(max_length=40)  # catch_up, ...
    reason: str = Field(default="", sa_type=LongText)
    at: datetime = Field(sa_type=Time)
