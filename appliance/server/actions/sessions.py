"""Browser sessions: signing in and out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock, ids
from appliance.protocol.users import Login
from appliance.server.actions.keyed import keyed
from appliance.server.auth import devices, passwords
from appliance.server.auth.identity import Actor
from appliance.server.auth.origins import UNKNOWN, Origin
from appliance.server.db.reads import users as read_users
from appliance.server.db.retries import retried
from appliance.server.db.rows.users import UserRow
from appliance.server.db.session import Database
from appliance.server.db.writes import sessions as write_sessions
from appliance.server.db.writes import users as write_users
from appliance.server.errors import NotFound, Unauthenticated
from appliance.server.events.outbox import announce

_WRONG = "The user name or the password is wrong."


@dataclass(frozen=True)
class SignedIn:
    """A fresh session: the cookies' secrets are shown to the browser once."""

    actor: Actor
    cookie: str
    device: str
    csrf_token: str
    expires_at: datetime


def account_of(request: Login) -> str:
    """The user name that somebody signs in with, in the form in which it is stored and counted."""
    return request.username.strip().lower()[:200]


@retried
def sign_in(
    db: Database,
    request: Login,
    lifetime: timedelta,
    former: str | None = None,
    *,
    origin: Origin = UNKNOWN,
    now: datetime | None = None,
) -> SignedIn:
    """Check a password and open a session, in place of the one whose cookie the browser had. A wrong name and a wrong password get the
    same answer after the same work."""
    now = now or clock.now()
    username = account_of(request)
    with db.read() as session:
        user = read_users.by_username(session, username)
        stored = user.password_hash if user is not None else None
    if not passwords.verify(stored, request.password) or user is None or user.disabled:
        raise Unauthenticated(_WRONG)
    with db.write("session.open", essential=True) as session:
        user = write_users.share(session, user.id)
        if user is None or user.disabled or user.password_hash != stored:  # changed meanwhile, which ends all sessions
            raise Unauthenticated(_WRONG)
        if former is not None:
            _announce_end(session, write_sessions.remove_by_hash(session, ids.sha256(former)), user.username, now)
        return open_session(session, user, lifetime, origin, now)


def open_session(session: Session, user: UserRow, lifetime: timedelta, origin: Origin, now: datetime) -> SignedIn:
    """Store a new session inside an action's transaction, and drop the expired ones."""
    secret, csrf_token, expires_at = ids.secret("session"), ids.sha256(ids.secret("csrf")), now + lifetime
    write_sessions.remove_expired(session, now)
    write_sessions.add(
        session,
        {
            "id": ids.uuid7(),
            "token_hash": ids.sha256(secret),
            "csrf_token": csrf_token,
            "user_id": user.id,
            "created": now,
            "expires_at": expires_at,
            "last_used": now,
            "browser": origin.browser,
            "address": origin.address,
        },
    )
    actor = Actor(
        kind="user",
        name=user.username,
        role=user.role,
        user_id=user.id,
        must_change_password=user.must_change_password,
    )
    return SignedIn(actor, secret, devices.issue(session, user.username, now), csrf_token, expires_at)


@retried
def sign_out(db: Database, session_id: UUID, actor: Actor, *, now: datetime | None = None) -> None:
    """End a session at once."""
    with db.write("session.end", essential=True) as session:
        _announce_end(session, write_sessions.remove(session, session_id), actor.name, now or clock.now())


def _announce_end(session: Session, user_id: UUID | None, name: str, now: datetime) -> None:
    """Have the session's streams look again whether they still have access."""
    if user_id is not None:
        announce(session, "user", user_id, "user.session_ended", {}, Actor(kind="user", name=name), now)


@keyed("session.end")
def end_own(db: Database, actor: Actor, session_id: UUID, *, now: datetime | None = None) -> None:
    """End one of the caller's own sessions, such as one on a computer that they have lost."""
    now = now or clock.now()
    with db.write("session.end_own", essential=True) as session:
        if actor.user_id is None or not write_sessions.remove_own(session, session_id, actor.user_id):
            raise NotFound("You have no such session; it may have ended.")
        announce(session, "user", actor.user_id, "user.session_ended", {}, actor, now)
