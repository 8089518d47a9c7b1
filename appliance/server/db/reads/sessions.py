"""Reads of browser sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.server.db.reads import readable
from appliance.server.db.rows.users import SessionRow
from appliance.server.db.tables import metadata

_session = metadata.tables["session"]
_user = metadata.tables["user"]


_joined = select(_session, _user.c.username, _user.c.role, _user.c.disabled, _user.c.must_change_password).join(
    _user, _user.c.id == _session.c.user_id
)
MOST = 1_000


def by_hash(session: Session, token_hash: str) -> SessionRow | None:
    """The session with its user's name, role and state."""
    return cast(SessionRow | None, session.execute(_joined.where(_session.c.token_hash == token_hash)).one_or_none())


def of_user(session: Session, user_id: UUID, now: datetime) -> Sequence[SessionRow]:
    """The user's sessions that have not expired, the last used first; at most a thousand."""
    live = _joined.where(_session.c.user_id == user_id, _session.c.expires_at > now)
    query = live.order_by(_session.c.last_used.desc(), _session.c.id).limit(MOST)
    return cast(Sequence[SessionRow], readable.every(session, query))
