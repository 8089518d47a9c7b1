"""Browser sessions: a random cookie, stored as a hash, and a CSRF token that writes must repeat in a header."""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import ids
from appliance.server.auth.identity import Actor, Credential
from appliance.server.db.reads import sessions
from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.writes import sessions as write_sessions

COOKIE = "appliance_session"
CSRF_HEADER = "x-csrf-token"
TOUCH_AFTER = timedelta(minutes=1)


def authenticate(
    session: Session, cookie: str, now: datetime, idle: timedelta | None = None
) -> tuple[Actor, Credential, bool] | None:
    """The actor, the credential, and whether to record the last use; None unless session and user are active, and the session was used
    within the time `idle`."""
    row = sessions.by_hash(session, ids.sha256(cookie))
    if row is None or row.disabled or row.expires_at <= now:
        return None
    if idle is not None and now - row.last_used >= idle:
        return None
    actor = Actor(
        kind="user",
        name=row.username,
        role=row.role,
        user_id=row.user_id,
        must_change_password=row.must_change_password,
    )
    return actor, Credential(kind="session", id=row.id, csrf_token=row.csrf_token), now - row.last_used >= TOUCH_AFTER


def csrf_matches(credential: Credential, header: str | None) -> bool:
    """Whether the header matches the session's CSRF token. Compared as bytes, since a header may contain anything."""
    return header is not None and hmac.compare_digest(credential.csrf_token.encode(), header.encode())


@retried
def touch(database: Database, session_id: UUID, now: datetime) -> None:
    """Record that the session was used, at most once a minute."""
    with database.write("session.used") as session:
        write_sessions.touch(session, session_id, now, now - TOUCH_AFTER)
