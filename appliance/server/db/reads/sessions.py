"""Reads of browser sessions."""

from __future__ import annotations

from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.server.db.rows.users import SessionRow
from appliance.server.db.tables import metadata

_session = metadata.tables["session"]
_user = metadata.tables["user"]


def by_hash(session: Session, token_hash: str) -> SessionRow | None:
    """The session with its user's name, role and state."""
    of_user = (_user.c.username, _user.c.role, _user.c.disabled, _user.c.must_change_password)
    query = select(_session, *of_user).join(_user, _user.c.id == _session.c.user_id)
    return cast(SessionRow | None, session.execute(query.where(_session.c.token_hash == token_hash)).one_or_none())
