"""Secrets, sealed with a key that is not in the database, and which versions of flows may read them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from appliance.server.db.tables.columns import Id, LongText, Time, Whole


class Secret(SQLModel, table=True):
    __tablename__ = "secret"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: UUID = Field(sa_type=Id, primary_key=True)
    project_id: UUID = Field(sa_type=Id, foreign_key="project.id", ondelete="CASCADE")
    name: str = Field(max_length=100)
    sealed: str = Field(sa_type=LongText)  # domain-separated AES-256-GCM, in base64: auth.sealing
    key_id: str = Field(max_length=32)
    version: int = Field(sa_type=Whole)  # counts the values that it has had
    created: datetime = Field(sa_type=Time)
    created_by: str = Field(default="", max_length=200)
    updated: datetime = Field(sa_type=Time)
    updated_by: str = Field(default="", max_length=200)


class DeclaredSecret(SQLModel, table=True):
    """The names are those in the version's graph. The secret need not exist."""

    __tablename__ = "declared_secret"

    flow_version_id: UUID = Field(sa_type=Id, primary_key=True, foreign_key="flow_version.id", ondelete="CASCADE")
    name: str = Field(primary_key=True, max_length=100, index=True)
