"""Bundles: code that agents fetch before runs start, as bytes that nothing here opens, and which versions of flows name them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from appliance.server.db.tables.columns import Id, Time, Whole


class Bundle(SQLModel, table=True):
    """`digest` identifies the content; of a sealed bundle, only those who hold the key can compute it."""

    __tablename__ = "bundle"
    __table_args__ = (UniqueConstraint("project_id", "digest"),)

    id: UUID = Field(sa_type=Id, primary_key=True)
    project_id: UUID = Field(sa_type=Id, foreign_key="project.id", ondelete="CASCADE")
    digest: str = Field(max_length=64)
    sha256: str = Field(max_length=64)  # of the bytes
    size: int = Field(sa_type=Whole)
    sealed: bool
    key_id: str | None = Field(default=None, max_length=32)  # which key has sealed it, as who registered it said
    created: datetime = Field(sa_type=Time)
    created_by: str = Field(default="", max_length=200)
    used: datetime = Field(sa_type=Time, index=True)  # when someone who registers last asked for it
    content: bytes = Field(sa_type=LargeBinary)


class NamedBundle(SQLModel, table=True):
    """A bundle can't be removed while a version names it."""

    __tablename__ = "named_bundle"

    flow_version_id: UUID = Field(sa_type=Id, primary_key=True, foreign_key="flow_version.id", ondelete="CASCADE")
    bundle_id: UUID = Field(sa_type=Id, foreign_key="bundle.id", index=True)
