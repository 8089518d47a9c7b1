"""Writes of users."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from appliance.server.db.tables import metadata

_user = metadata.tables["user"]


def add(session: Session, *, id: UUID, username: str, password_hash: str | None, role: str, created: datetime) -> None:
    session.execute(
        insert(_user).values(
            id=id, username=username, password_hash=password_hash, role=role, disabled=False, created=created
        )
    )


def set_password(session: Session, user_id: UUID, password_hash: str) -> None:
    session.execute(update(_user).where(_user.c.id == user_id).values(password_hash=password_hash))


def set_disabled(session: Session, user_id: UUID, disabled: bool) -> None:
    session.execute(update(_user).where(_user.c.id == user_id).values(disabled=disabled))
