"""The log lines of runs, in order of arrival. The index of their words, for the search in all runs, is on SQLite the FTS5 table
`log_search`, and on Postgres a table of this name, which the migrations make, since neither can be declared here. As with the index of
names (`run_names`), triggers fill it on Postgres, and our own writes on SQLite.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from appliance.server.db.tables.columns import BigKey, Id, LongText, Time, Whole


class Log(SQLModel, table=True):
    __tablename__ = "log"
    __table_args__ = (Index("ix_log_flow_run_id_id", "flow_run_id", "id"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    flow_run_id: UUID = Field(sa_type=Id, foreign_key="flow_run.id", ondelete="CASCADE")
    task_slug: str | None = Field(default=None, max_length=300)
    map_index: int = Field(default=-1, sa_type=Whole)
    at: datetime = Field(sa_type=Time)
    level: int = Field(sa_type=Whole)  # Python's numbers: 10 DEBUG .. 50 CRITICAL
    logger: str = Field(default="", max_length=200)
    message: str = Field(sa_type=LongText)
