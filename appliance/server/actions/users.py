"""Users: adding one."""

from __future__ import annotations

import re
from datetime import datetime

from appliance.kit import clock, ids
from appliance.protocol.users import CreateUser, UserView
from appliance.server.actions.keyed import keyed
from appliance.server.auth import passwords
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import users as read_users
from appliance.server.db.session import Database
from appliance.server.db.writes import users as write_users
from appliance.server.errors import Conflict, Invalid
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
    passwords.check_strength(request.password, username)
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
            session, id=user_id, username=username, password_hash=password_hash, role=request.role, created=now
        )
        announce(session, "user", user_id, "user.created", {"role": request.role}, actor, now)
    return UserView(id=user_id, username=username, role=request.role, created=now, disabled=False)
