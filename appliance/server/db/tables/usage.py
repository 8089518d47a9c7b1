"""How much each project has stored, as a sum over shards: the reports of many runs at once don't wait for one row."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import Field, SQLModel

from appliance.server.db.tables.columns import BigKey, Id, Whole


class ProjectUsage(SQLModel, table=True):
    __tablename__ = "project_usage"

    project_id: UUID = Field(sa_type=Id, primary_key=True, foreign_key="project.id", ondelete="CASCADE")
    shard: int = Field(sa_type=Whole, primary_key=True)
    stored_rows: int = Field(default=0, sa_type=BigKey)
    stored_bytes: int = Field(default=0, sa_type=BigKey)
