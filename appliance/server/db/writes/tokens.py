"""Writes of API tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, Result, insert, or_, update
from sqlalchemy.orm import Session

from appliance.server.db.rows.tokens import NewToken
from appliance.server.db.tables import metadata

_token = metadata.tables["api_token"]


def add(session: Session, row: NewToken) -> None:
    session.execute(insert(_token).values(**row))


def revoke(session: Session, token_id: UUID, now: datetime) -> bool:
    """True when this call revoked it."""
    return _changed(
        session.execute(
            update(_token).where(_token.c.id == token_id, _token.c.revoked_at.is_(None)).values(revoked_at=now)
        )
    )


def revoke_named(session: Session, name: str, scope: str, now: datetime) -> bool:
    """Revoke every live token of this name and scope. True when there was one."""
    live = (_token.c.name == name, _token.c.scope == scope, _token.c.revoked_at.is_(None))
    result = session.execute(update(_token).where(*live).values(revoked_at=now))
    assert isinstance(result, CursorResult)
    return result.rowcount > 0


def bind(session: Session, token_id: UUID, name: str, labels: list[str], projects: list[str]) -> None:
    """Bind the token to an agent of this name, and to these labels and projects, unless it is bound already."""
    free = (_token.c.id == token_id, _token.c.bound_name.is_(None))
    session.execute(update(_token).where(*free).values(bound_name=name, bound_labels=labels, bound_projects=projects))


def shorten(session: Session, token_id: UUID, ends: datetime) -> None:
    """Let the token end then, unless it ends earlier."""
    later = or_(_token.c.expires_at.is_(None), _token.c.expires_at > ends)
    session.execute(update(_token).where(_token.c.id == token_id, later).values(expires_at=ends))


def hand_over(session: Session, user_id: UUID, to: UUID, created_by: str) -> None:
    """Give the agents' tokens of a user that were created by somebody to another user."""
    theirs = (_token.c.user_id == user_id, _token.c.scope == "agent", _token.c.created_by == created_by)
    session.execute(update(_token).where(*theirs).values(user_id=to))


def touch(session: Session, token_id: UUID, now: datetime, before: datetime) -> None:
    """Set the last use unless another request did since `before`."""
    stale = or_(_token.c.last_used.is_(None), _token.c.last_used <= before)
    session.execute(update(_token).where(_token.c.id == token_id, stale).values(last_used=now))


def _changed(result: Result[Any]) -> bool:
    assert isinstance(result, CursorResult)
    return result.rowcount == 1
