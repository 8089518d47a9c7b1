"""Writes of users."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, Result, delete, insert, select, update
from sqlalchemy.orm import Session

from appliance.server.db.rows.users import UserRow
from appliance.server.db.tables import metadata

_user = metadata.tables["user"]


def add(
    session: Session,
    *,
    id: UUID,
    username: str,
    password_hash: str | None,
    role: str,
    created: datetime,
    must_change_password: bool = False,
) -> None:
    session.execute(
        insert(_user).values(
            id=id,
            username=username,
            password_hash=password_hash,
            role=role,
            disabled=False,
            must_change_password=must_change_password,
            created=created,
        )
    )


def share(session: Session, user_id: UUID) -> UserRow | None:
    """The user, who stays as they are until the transaction ends."""
    statement = select(_user).where(_user.c.id == user_id).with_for_update(read=True)
    return cast(UserRow | None, session.execute(statement).one_or_none())


def set_password(session: Session, user_id: UUID, password_hash: str, must_change: bool) -> bool:
    """True when there is such a user."""
    return _changed(
        session.execute(
            update(_user)
            .where(_user.c.id == user_id)
            .values(password_hash=password_hash, must_change_password=must_change)
        )
    )


def replace_password(session: Session, user_id: UUID, old_hash: str, new_hash: str) -> bool:
    """True when the password was still the old one. The user has chosen the new one, and needn't change it."""
    return _changed(
        session.execute(
            update(_user)
            .where(_user.c.id == user_id, _user.c.password_hash == old_hash)
            .values(password_hash=new_hash, must_change_password=False)
        )
    )


def lock(session: Session, user_id: UUID) -> UserRow | None:
    """The user, whom nobody else changes until the transaction ends."""
    statement = select(_user).where(_user.c.id == user_id).with_for_update()
    return cast(UserRow | None, session.execute(statement).one_or_none())


def lock_administrators(session: Session) -> Sequence[UserRow]:
    """The administrators who may sign in, oldest first. None of them changes until the transaction ends."""
    enabled = select(_user).where(_user.c.role == "admin", _user.c.disabled.is_(False))
    statement = enabled.order_by(_user.c.created, _user.c.id).with_for_update()
    return cast(Sequence[UserRow], session.execute(statement).all())


def edit(session: Session, user_id: UUID, role: str, disabled: bool) -> None:
    session.execute(update(_user).where(_user.c.id == user_id).values(role=role, disabled=disabled))


def remove(session: Session, user_id: UUID) -> None:
    """With their sessions and tokens."""
    session.execute(delete(_user).where(_user.c.id == user_id))


def _changed(result: Result[Any]) -> bool:
    assert isinstance(result, CursorResult)
    return result.rowcount == 1
