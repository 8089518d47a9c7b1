"""Passwords: changing one's own, and setting another user's. Either ends the user's sessions, and leaves their tokens alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from appliance.kit import clock
from appliance.protocol.users import ChangePassword, SetPassword, UserView
from appliance.server.actions.keyed import keyed
from appliance.server.auth import passwords
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import users as read_users
from appliance.server.db.session import Database
from appliance.server.db.writes import sessions as write_sessions
from appliance.server.db.writes import users as write_users
from appliance.server.errors import Conflict, Invalid, NotFound, WrongPassword
from appliance.server.events.outbox import announce


@dataclass(frozen=True)
class _Chosen:
    """The part of a change that its key stands for. Once the change is made, the current password is wrong, so it can't belong to it."""

    password: str = field(repr=False)


@dataclass(frozen=True)
class _Hashes:
    """The stored hash, if the current password matches it, and the hash to store in its place."""

    old: str | None = field(repr=False)
    new: str = field(repr=False)


def change(
    db: Database, actor: Actor, request: ChangePassword, keep: UUID | None, *, now: datetime | None = None
) -> None:
    """Change one's own password, and end all of one's sessions but the one to keep."""
    now = now or clock.now()
    with db.read() as session:
        user = None if actor.user_id is None else read_users.get(session, actor.user_id)
    if user is None or user.password_hash is None:
        raise Conflict("You have no password, only tokens; an administrator can set one for you.")
    if passwords.are_same(request.current, request.new):
        raise Invalid("The new password is the same as the current one; choose another.")
    passwords.check_strength(request.new, user.username, development=db.rules.development)
    old = user.password_hash if passwords.verify(user.password_hash, request.current) else None
    hashes = _Hashes(old, passwords.hash_password(request.new))  # before the transaction: each takes some 30 ms
    _change(db, actor, user.id, _Chosen(request.new), hashes, keep, now=now)


@keyed("user.change_password", beside=("hashes", "keep"))
def _change(
    db: Database, actor: Actor, user_id: UUID, chosen: _Chosen, hashes: _Hashes, keep: UUID | None, *, now: datetime
) -> None:
    """Refuse a wrong password only here, where it is known that the change has not been made under its key."""
    if hashes.old is None:
        raise WrongPassword("The current password is wrong.")
    with db.write("user.password") as session:
        if not write_users.replace_password(session, user_id, hashes.old, hashes.new):
            raise Conflict("Your password was changed elsewhere just now; sign in with that one.")
        write_sessions.remove_of_user(session, user_id, keep)
        announce(session, "user", user_id, "user.password_changed", {}, actor, now)


def set_for(
    db: Database,
    actor: Actor,
    user_id: UUID,
    request: SetPassword,
    keep: UUID | None,
    *,
    now: datetime | None = None,
) -> UserView:
    """Set a user's password, and end all of their sessions but the one to keep, if it is theirs."""
    now = now or clock.now()
    with db.read() as session:
        user = read_users.get(session, user_id)
    if user is None:
        raise NotFound("There is no such user; list them to see their ids.")
    passwords.check_strength(request.password, user.username, development=db.rules.development)
    password_hash = passwords.hash_password(request.password)
    return _set(db, actor, user_id, request, password_hash, keep, now=now)


@keyed("user.set_password", beside=("password_hash", "keep"))
def _set(
    db: Database,
    actor: Actor,
    user_id: UUID,
    request: SetPassword,
    password_hash: str,
    keep: UUID | None,
    *,
    now: datetime,
) -> UserView:
    with db.write("user.set_password") as session:
        write_users.set_password(session, user_id, password_hash, request.must_change)
        write_sessions.remove_of_user(session, user_id, keep)
        announce(session, "user", user_id, "user.password_set", {"must_change": request.must_change}, actor, now)
        user = read_users.get(session, user_id)
    assert user is not None
    return UserView(
        id=user.id,
        username=user.username,
        role=user.role,
        created=user.created,
        disabled=user.disabled,
        must_change_password=user.must_change_password,
    )
