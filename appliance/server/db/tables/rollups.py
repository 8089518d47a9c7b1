"""Ended runs by flow and hour, so that dashboards never count the runs themselves."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from appliance.server.db.tables.columns import Id, OneOf, Time, Whole
from appliance.server.domain.transitions import TYPES


class RunRollup(SQLModel, table=True):
    __tablename__ = "run_rollup"
    __table_args__ = (
        Index("ix_run_rollup_sums", "hour", "state_name", "state_type", "flow_id", "runs", "seconds", "longest"),
    )

    flow_id: UUID = Field(sa_type=Id, primary_key=True, foreign_key="flow.id", ondelete="CASCADE")
    hour: datetime = Field(primary_key=True, sa_type=Time)  # the hour in which the run ended
    state_name: str = Field(primary_key=True, max_length=40)
    state_type: str = Field(sa_type=OneOf(*TYPES))
    runs: int = Field(default=0, sa_type=Whole)
    seconds: float = 0.0  # from start to end, of all of them together
    longest: float = 0.0
