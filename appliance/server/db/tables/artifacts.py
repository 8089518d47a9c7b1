"""What runs make for people to look at, such as tables, images, and reports."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from appliance.protocol.artifact_kinds import KINDS, RETENTIONS
from appliance.server.db.tables.columns import Id, OneOf, Time, Whole


class Artifact(SQLModel, table=True):
    """One without a run has outlived it. Those of a project with the same key are its versions. A run has one for each slot."""

    __tablename__ = "artifact"
    __table_args__ = (
        UniqueConstraint("project_id", "key", "version"),
        UniqueConstraint("flow_run_id", "slot"),
        Index("ix_artifact_flow_run_id_size", "flow_run_id", "size"),  # sums of a run need nothing else
        Index("ix_artifact_flow_run_id_id", "flow_run_id", "id"),
        Index("ix_artifact_flow_id_id", "flow_id", "id"),
        Index("ix_artifact_project_id_id", "project_id", "id"),
    )

    id: UUID = Field(sa_type=Id, primary_key=True)
    project_id: UUID = Field(sa_type=Id, foreign_key="project.id", ondelete="CASCADE")
    flow_id: UUID = Field(sa_type=Id, foreign_key="flow.id", ondelete="CASCADE")
    flow_run_id: UUID | None = Field(default=None, sa_type=Id, foreign_key="flow_run.id", ondelete="CASCADE")
    slot: str = Field(max_length=64)
    attempt: int = Field(sa_type=Whole)  # of the request that was last, with its number
    number: int = Field(sa_type=Whole)
    task_slug: str | None = Field(default=None, max_length=300)
    map_index: int = Field(default=-1, sa_type=Whole)
    kind: str = Field(sa_type=OneOf(*KINDS))
    key: str | None = Field(default=None, max_length=100)
    version: int | None = Field(default=None, sa_type=Whole)
    title: str = Field(default="", max_length=200)
    media_type: str = Field(max_length=100)
    file_name: str | None = Field(default=None, max_length=200)
    size: int = Field(sa_type=Whole)
    sha256: str = Field(max_length=64)
    progress: float | None = Field(default=None)
    retention: str = Field(sa_type=OneOf(*RETENTIONS))
    created: datetime = Field(sa_type=Time)
    updated: datetime = Field(sa_type=Time)
    content: bytes = Field(sa_type=LargeBinary)


class ArtifactKey(SQLModel, table=True):
    """The number of a key's last version, which is not used again, and when it was made. It stays for a while after its last artifact."""

    __tablename__ = "artifact_key"
    __table_args__ = (
        UniqueConstraint("project_id", "key"),
        Index("ix_artifact_key_updated", "updated", "id"),
        Index("ix_artifact_key_project_id_updated", "project_id", "updated", "id"),
        Index("ix_artifact_key_emptied", "emptied"),
    )

    id: UUID = Field(sa_type=Id, primary_key=True)
    project_id: UUID = Field(sa_type=Id, foreign_key="project.id", ondelete="CASCADE")
    key: str = Field(max_length=100)
    last_version: int = Field(sa_type=Whole)
    updated: datetime = Field(sa_type=Time)
    emptied: datetime | None = Field(default=None, sa_type=Time)  # when its last artifact was removed; null: it has one
