"""Writes of browser sessions."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, delete, insert, update
from sqlalchemy.orm import Session

from appliance.server.db.rows.users import NewSession
from appliance.server.db.tables import metadata

_session = metadata.tables["session"]


def add(session: Session, row: NewSession) -> None:
    session.execute(insert(_session).values(**row))


def remove(session: Session, session_id: UUID) -> UUID | None:
    """The user whose session it was; None when there was no such session."""
    return _removed(session, _session.c.id == session_id)


def remove_by_hash(session: Session, token_hash: str) -> UUID | None:
    """The same for the session of this cookie."""
    return _removed(session, _session.c.token_hash == token_hash)


def _removed(session: Session, chosen: ColumnElement[bool]) -> UUID | None:
    user_id: UUID | None = session.execute(
        delete(_session).where(chosen).returning(_session.c.user_id)
    ).scalar_one_or_none()
    return user_id


def remove_own(session: Session, session_id: UUID, user_id: UUID) -> bool:
    """Whether it was a session of this user."""
    own = (_session.c.id == session_id, _session.c.user_id == user_id)
    result = session.execute(delete(_session).where(*own))
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


def remove_of_user(session: Session, user_id: UUID, keep: UUID | None) -> None:
    """Every session of the user but the one to keep."""
    others = () if keep is None else (_session.c.id != keep,)
    session.execute(delete(_session).where(_session.c.user_id == user_id, *others))


def remove_expired(session: Session, now: datetime) -> None:
    session.execute(delete(_session).where(_session.c.expires_at <= now))


def touch(session: Session, session_id: UUID, now: datetime, before: datetime) -> None:
    """Set the last use unless another request did since `before`."""
    session.execute(
        update(_session).where(_session.c.id == session_id, _session.c.last_used <= before).values(last_used=now)
    )
