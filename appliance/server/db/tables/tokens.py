"""Bearer tokens of people, scripts and agents: a prefix for people to recognise, a hash to compare with."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from appliance.server.db.tables.columns import Id, OneOf, Texts, Time


class ApiToken(SQLModel, table=True):
    __tablename__ = "api_token"

    id: UUID = Field(sa_type=Id, primary_key=True)
    name: str = Field(max_length=200)
    prefix: str = Field(max_length=20)
    token_hash: str = Field(max_length=64, unique=True)
    scope: str = Field(default="user", sa_type=OneOf("user", "agent"))
    user_id: UUID = Field(sa_type=Id, foreign_key="user.id", ondelete="CASCADE", index=True)
    created: datetime = Field(sa_type=Time)
    created_by: str = Field(default="", max_length=200)
    expires_at: datetime | None = Field(default=None, sa_type=Time)
    last_used: datetime | None = Field(default=None, sa_type=Time)
    revoked_at: datetime | None = Field(default=None, sa_type=Time)
    binds: bool = False  # to the first agent that enrols with it
    bound_name: str | None = Field(default=None, max_length=200)  # the agent's
    bound_labels: list[str] | None = Field(default=None, sa_type=Texts)
    bound_projects: list[str] | None = Field(default=None, sa_type=Texts)  # empty or null: all
