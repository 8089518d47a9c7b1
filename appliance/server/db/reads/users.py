"""Reads of users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from appliance.server.db.reads import readable
from appliance.server.db.rows.users import UserRow
from appliance.server.db.tables import metadata

_user = metadata.tables["user"]
MOST = 1_000


def any_exists(session: Session) -> bool:
    """Whether the appliance has been claimed."""
    return session.execute(select(literal(1)).select_from(_user).limit(1)).first() is not None


def by_username(session: Session, username: str) -> UserRow | None:
    statement = select(_user).where(_user.c.username == username)
    return cast(UserRow | None, session.execute(statement).one_or_none())


def get(session: Session, user_id: UUID) -> UserRow | None:
    return cast(UserRow | None, session.execute(select(_user).where(_user.c.id == user_id)).one_or_none())


def every(session: Session) -> Sequence[UserRow]:
    """Users by name; at most a thousand."""
    return cast(Sequence[UserRow], readable.every(session, select(_user).order_by(_user.c.username).limit(MOST)))
