"""Rows of API tokens."""

from __future__ import annotations

from datetime import datetime
from typing import NotRequired, TypedDict
from uuid import UUID

from appliance.protocol.users import Role
from appliance.server.db.rows.row_type import RowType


class TokenRow(RowType):
    """A token with its user."""

    id: UUID
    name: str
    prefix: str
    token_hash: str
    scope: str
    user_id: UUID
    created: datetime
    created_by: str
    expires_at: datetime | None
    last_used: datetime | None
    revoked_at: datetime | None
    binds: bool
    bound_name: str | None
    bound_labels: list[str] | None
    bound_projects: list[str] | None
    username: str
    role: Role
    disabled: bool


class NewToken(TypedDict):
    """A token to insert."""

    id: UUID
    name: str
    prefix: str
    token_hash: str
    scope: str
    user_id: UUID
    created: datetime
    created_by: NotRequired[str]
    expires_at: NotRequired[datetime | None]
    binds: bool
