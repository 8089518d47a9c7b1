"""Names that flows and projects had before they were renamed, so that code with an old name doesn't make a second one unnoticed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from appliance.server.db.tables.columns import Id, Time


class FormerName(SQLModel, table=True):
    __tablename__ = "former_name"
    __table_args__ = (UniqueConstraint("noun", "scope_id", "name"),)

    id: UUID = Field(sa_type=Id, primary_key=True)
    noun: str = Field(max_length=20)  # flow, project
    scope_id: UUID = Field(sa_type=Id)  # of a flow: its project; of a project: zero
    name: str = Field(max_length=200)
    object_id: UUID = Field(sa_type=Id, index=True)  # what had the name
    at: datetime = Field(sa_type=Time)
