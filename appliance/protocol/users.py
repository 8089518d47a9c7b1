"""Messages about users: signing in, claiming a new appliance, and creating accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from appliance.protocol.message import Answer, Message

Role = Literal["viewer", "operator", "admin"]


class Login(Message, kw_only=True):
    username: str
    password: str


class Setup(Message, kw_only=True):
    """Claim a new appliance with the one-time token that its first start printed."""

    token: str
    username: str = "admin"
    password: str


class Me(Answer, kw_only=True):
    username: str
    role: Role
    csrf_token: str = ""
    permissions: list[str] = []
    must_change_password: bool = False


class CreateUser(Message, kw_only=True):
    """Add a user, who must change this password at the first sign-in, unless `must_change` is false."""

    username: str
    password: str
    role: Role = "viewer"
    must_change: bool = True


class UserView(Answer, kw_only=True):
    id: UUID
    username: str
    role: str
    created: datetime
    disabled: bool
    must_change_password: bool = False


class EditUser(Message, kw_only=True):
    """A user's role, and whether they may sign in. What is missing stays as it is."""

    role: Role | None = None
    disabled: bool | None = None


class SessionView(Answer, kw_only=True):
    """A browser in which a user is signed in. `current` is the one that asks; `browser` and `address` are those of the sign-in."""

    id: UUID
    created: datetime
    last_used: datetime
    expires_at: datetime
    current: bool = False
    browser: str = ""
    address: str = ""


class ChangePassword(Message, kw_only=True):
    """Change one's own password."""

    current: str
    new: str


class SetPassword(Message, kw_only=True):
    """Set another user's password, which they must change at their next sign-in, unless `must_change` is false."""

    password: str
    must_change: bool = True
