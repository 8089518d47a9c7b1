"""Rows of users and their browser sessions."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from appliance.protocol.users import Role
from appliance.server.db.rows.row_type import RowType


class UserRow(RowType):
    """A whole user."""

    id: UUID
    username: str
    password_hash: str | None
    role: Role
    disabled: bool
    must_change_password: bool
    created: datetime


class SessionRow(RowType):
    """A browser session with its user."""

    id: UUID
    token_hash: str
    csrf_token: str
    user_id: UUID
    created: datetime
    expires_at: datetime
    last_used: datetime
    browser: str
    address: str
    username: str
    role: Role
    disabled: bool
    must_change_password: bool


class NewSession(TypedDict):
    """A browser session to insert."""

    id: UUID
    token_hash: str
    csrf_token: str
    user_id: UUID
    created: datetime
    expires_at: datetime
    last_used: datetime
    browser: str
    address: str
