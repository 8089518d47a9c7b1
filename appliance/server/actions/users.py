"""Users: adding, changing and deleting them, and ending their sessions. One administrator who can sign in always remains."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock, ids
from appliance.protocol.users import CreateUser, EditUser, UserView
from appliance.server.actions.keyed import keyed
from appliance.server.auth import passwords
from appliance.server.auth.identity import SYSTEM, Actor
from appliance.server.db.reads import users as read_users
from appliance.server.db.rows.users import UserRow
from appliance.server.db.session import Database
from appliance.server.db.writes import sessions as write_sessions
from appliance.server.db.writes import tokens as write_tokens
from appliance.server.db.writes import users as write_users
from appliance.server.errors import Conflict, Invalid, NotFound
from appliance.server.events.outbox import announce

_USERNAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,99}")


def normal_username(username: str) -> str:
    """The user name as it is stored; raises Invalid for one that can't be used."""
    name = username.strip().lower()
    if not _USERNAME.fullmatch(name):
        raise Invalid(
            "A user name has 1 to 100 letters, digits, dots, dashes, underscores or @, and starts with a letter or digit."
        )
    return name


def create(db: Database, actor: Actor, request: CreateUser, *, now: datetime | None = None) -> UserView:
    """Add a user who signs in with a password."""
    now = now or clock.now()
    username = normal_username(request.username)
    passwords.check_strength(request.password, username, development=db.rules.development)
    password_hash = passwords.hash_password(request.password)  # before the transaction: it takes some 30 ms
    return _create(db, actor, request, username, password_hash, now=now)


@keyed("user.create", beside=("username", "password_hash"))
def _create(
    db: Database, actor: Actor, request: CreateUser, username: str, password_hash: str, *, now: datetime
) -> UserView:
    user_id = ids.uuid7()
    with db.write("user") as session:
        if read_users.by_username(session, username) is not None:
            raise Conflict(f"There is already a user {username}; choose another name.")
        write_users.add(
            session,
            id=user_id,
            username=username,
            password_hash=password_hash,
            role=request.role,
            created=now,
            must_change_password=request.must_change,
        )
        announce(session, "user", user_id, "user.created", {"role": request.role}, actor, now)
    return UserView(
        id=user_id,
        username=username,
        role=request.role,
        created=now,
        disabled=False,
        must_change_password=request.must_change,
    )


@keyed("user.edit")
def edit(db: Database, actor: Actor, user_id: UUID, request: EditUser, *, now: datetime | None = None) -> UserView:
    """Change a user's role, or whether they may sign in. A disabled user's sessions end, and their tokens don't work until they are
    enabled again. Raises Conflict for oneself and for the last administrator."""
    now = now or clock.now()
    with db.write("user.edit") as session:
        administrators = write_users.lock_administrators(session)  # first: two who change each other must not deadlock
        user = _user(session, user_id)
        role = user.role if request.role is None else request.role
        disabled = user.disabled if request.disabled is None else request.disabled
        if (role, disabled) != (user.role, user.disabled):
            _check_may_change(session, actor, user, administrators, role == "admin" and not disabled)
            write_users.edit(session, user_id, role, disabled)
            if disabled:
                write_sessions.remove_of_user(session, user_id, None)
            announce(session, "user", user_id, "user.edited", {"role": role, "disabled": disabled}, actor, now)
    return UserView(
        id=user_id,
        username=user.username,
        role=role,
        created=user.created,
        disabled=disabled,
        must_change_password=user.must_change_password,
    )


@keyed("user.delete")
def delete(db: Database, actor: Actor, user_id: UUID, *, now: datetime | None = None) -> None:
    """Delete a user with their sessions and tokens. What they did stays in the histories under their name. Raises Conflict for oneself
    and for the last administrator."""
    now = now or clock.now()
    with db.write("user.delete") as session:
        administrators = write_users.lock_administrators(session)
        user = _user(session, user_id)
        _check_may_change(session, actor, user, administrators, stays_administrator=False)
        write_users.remove(session, user_id)
        announce(session, "user", user_id, "user.deleted", {"username": user.username}, actor, now)


@keyed("user.end_sessions")
def end_sessions(db: Database, actor: Actor, user_id: UUID, *, now: datetime | None = None) -> None:
    """Sign a user out of every browser. Their password and their tokens keep working."""
    now = now or clock.now()
    with db.write("user.end_sessions") as session:
        _user(session, user_id)
        write_sessions.remove_of_user(session, user_id, None)
        announce(session, "user", user_id, "user.sessions_ended", {}, actor, now)


def _user(session: Session, user_id: UUID) -> UserRow:
    user = write_users.lock(session, user_id)
    if user is None:
        raise NotFound("There is no such user; list them to see their ids.")
    return user


def _check_may_change(
    session: Session, actor: Actor, user: UserRow, administrators: Sequence[UserRow], stays_administrator: bool
) -> None:
    """Also hands the tokens of the appliance's own agent, which belong to an administrator, over to another one."""
    if actor.user_id == user.id:
        raise Conflict("You can't disable, demote, or delete yourself; another administrator can.")
    others = [admin for admin in administrators if admin.id != user.id]
    if not stays_administrator and user.role == "admin":
        if not others:
            raise Conflict(f"{user.username} is the last administrator who can sign in; make somebody else one first.")
        write_tokens.hand_over(session, user.id, others[0].id, SYSTEM.name)
