"""People who sign in, and their browser sessions. Only hashes of passwords and cookies are stored."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from appliance.server.db.tables.columns import Id, OneOf, Time


class User(SQLModel, table=True):
    __tablename__ = "user"
    __table_args__ = (UniqueConstraint("username"),)

    id: UUID = Field(sa_type=Id, primary_key=True)
    username: str = Field(max_length=200)  # stored in lower case
    password_hash: str | None = Field(default=None, max_length=300)
    role: str = Field(default="viewer", sa_type=OneOf("viewer", "operator", "admin"))
    disabled: bool = False
    must_change_password: bool = False  # at the next sign-in
    created: datetime = Field(sa_type=Time)


class Session(SQLModel, table=True):
    __tablename__ = "session"

    id: UUID = Field(sa_type=Id, primary_key=True)
    token_hash: str = Field(max_length=64, unique=True)
    csrf_token: str = Field(max_length=64)
    user_id: UUID = Field(sa_type=Id, foreign_key="user.id", ondelete="CASCADE", index=True)
    created: datetime = Field(sa_type=Time)
    expires_at: datetime = Field(sa_type=Time, index=True)
    last_used: datetime = Field(sa_type=Time)
    browser: str = Field(default="", max_length=100)  # and the address: of the request that signed in
    address: str = Field(default="", max_length=100)
