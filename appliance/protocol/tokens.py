"""API tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from appliance.protocol.message import Answer, Message


class CreateToken(Message, kw_only=True):
    """A token acts as `username` (default: the caller) and never has more rights than that user. Scope `agent` permits only what agents do.
    It ends at `expires_at` or after `expires_in` seconds; without either, after the site's default."""

    name: str
    scope: Literal["user", "agent"] = "user"
    username: str | None = None
    expires_at: datetime | None = None
    expires_in: float | None = None


class RotateToken(Message, kw_only=True):
    """Replace a token by one of the same name, scope and user. The old one stays valid for `overlap` seconds, at most 30 days."""

    overlap: float = 24 * 3600.0


class TokenView(Answer, kw_only=True):
    id: UUID
    name: str
    prefix: str
    scope: str
    username: str
    created: datetime
    expires_at: datetime | None = None
    last_used: datetime | None = None
    agent: str | None = None  # the one to which it belongs, once that has enrolled


class TokenCreated(Answer, kw_only=True):
    token: str  # shown once
    view: TokenView
