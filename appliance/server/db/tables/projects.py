"""A project: the namespace of flows, and what roles are granted on."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from appliance.server.db.tables.columns import Id, LongText, Time


class Project(SQLModel, table=True):
    __tablename__ = "project"
    __table_args__ = (UniqueConstraint("name"),)

    id: UUID = Field(sa_type=Id, primary_key=True)
    name: str = Field(max_length=200)
    description: str = Field(default="", sa_type=LongText)
    archived: bool = False
    paused: bool = False
    created: datetime = Field(sa_type=Time)
