"""Results that the appliance keeps for runs, as bytes that nothing here opens."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, LargeBinary, UniqueConstraint, false
from sqlmodel import Field, SQLModel

from appliance.server.db.tables.columns import Id, Time, Whole


class KeptResult(SQLModel, table=True):
    """One that belongs to a run goes with it; one that the runs of a project share, such as a target or a record of a cache, when it expires."""

    __tablename__ = "kept_result"
    __table_args__ = (
        UniqueConstraint("project_id", "location"),
        Index("ix_kept_result_flow_run_id_size", "flow_run_id", "size"),  # sums of a run need nothing else
        Index(
            "ix_kept_result_project_id_id_location", "project_id", "id", "location"
        ),  # lists of a project, by location, too
    )

    id: UUID = Field(sa_type=Id, primary_key=True)
    project_id: UUID = Field(sa_type=Id, foreign_key="project.id", ondelete="CASCADE")
    flow_run_id: UUID | None = Field(default=None, sa_type=Id, foreign_key="flow_run.id", ondelete="CASCADE")
    location: str = Field(max_length=1024)
    sha256: str = Field(max_length=64)
    size: int = Field(sa_type=Whole)
    sealed: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    key_id: str | None = Field(default=None, max_length=32)  # which key has sealed it, as the run said
    stored: datetime = Field(sa_type=Time)
    expires: datetime | None = Field(default=None, sa_type=Time, index=True)
    content: bytes = Field(sa_type=LargeBinary)
