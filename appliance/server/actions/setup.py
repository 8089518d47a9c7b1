"""Claiming a new appliance: from the environment on the first start, or by a one-time token that the first start prints."""

from __future__ import annotations

import hmac
import logging
import re
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from appliance.kit import clock, ids
from appliance.protocol.users import Setup
from appliance.server.actions.sessions import SignedIn, open_session
from appliance.server.actions.tokens import issue
from appliance.server.actions.users import normal_username
from appliance.server.auth import passwords
from appliance.server.auth.identity import SYSTEM
from appliance.server.db.reads import settings as read_settings
from appliance.server.db.reads import tokens as read_tokens
from appliance.server.db.reads import users as read_users
from appliance.server.db.retries import retried
from appliance.server.db.rows.users import UserRow
from appliance.server.db.session import Database
from appliance.server.db.writes import settings as write_settings
from appliance.server.db.writes import tokens as write_tokens
from appliance.server.db.writes import users as write_users
from appliance.server.errors import Conflict, Forbidden, Invalid
from appliance.server.events.outbox import announce

log = logging.getLogger(__name__)

ADMIN = "admin"
MIN_SECRET_LENGTH = 8
GOOD_SECRET_LENGTH = 16
_SENDABLE = re.compile(r"(?! )[\x20-\x7e]*(?<! )")
_SETUP = "setup_token_hash"


def setup_required(db: Database) -> bool:
    """Whether nobody has claimed this appliance yet."""
    with db.read() as session:
        return not read_users.any_exists(session)


@retried
def ensure_admin(
    db: Database, password: str, token: str, *, must_change: bool = False, now: datetime | None = None
) -> None:
    """On the first start create the user `admin` with this password, this token or both; later only add a token not yet known. With
    `must_change`, the first thing to do with the password is to change it."""
    if not password and not token:
        return
    now = now or clock.now()
    _check_secret("APPLIANCE_ADMIN_PASSWORD", password)
    _check_secret("APPLIANCE_ADMIN_TOKEN", token)
    if not _SENDABLE.fullmatch(token):
        raise Invalid(
            "APPLIANCE_ADMIN_TOKEN contains a line break, a space at an end or a character that is not ASCII, so that no "
            "client could send it; remove it or choose another token."
        )
    with db.read() as session:
        admin = read_users.by_username(session, ADMIN)
        if admin is not None and (not token or read_tokens.by_hash(session, ids.sha256(token)) is not None):
            return
        fresh = admin is None and not read_users.any_exists(session)
    if not fresh and admin is None:
        return  # the site was claimed under another name; the environment doesn't add a second administrator
    password_hash = passwords.hash_password(password) if password and admin is None else None
    with db.write("setup.admin") as session:
        admin = read_users.by_username(session, ADMIN) or _add_admin(
            session, ADMIN, password_hash, now, must_change=must_change and password_hash is not None
        )
        if token and read_tokens.by_hash(session, ids.sha256(token)) is None:
            issue(session, SYSTEM, admin, "from the environment", "user", now, secret=token)


@retried
def create_setup_token(db: Database, *, now: datetime | None = None) -> str:
    """A new one-time setup token; it replaces the previous one. Raises Conflict once the appliance is claimed."""
    now = now or clock.now()
    secret = ids.secret("setup")
    with db.write("setup.token") as session:
        if read_users.any_exists(session):
            raise Conflict("This appliance has been set up already; sign in instead.")
        write_settings.put(session, _SETUP, ids.sha256(secret), now)
    return secret


@retried
def use_setup(db: Database, request: Setup, lifetime: timedelta, *, now: datetime | None = None) -> SignedIn:
    """Claim the appliance: check the one-time token, create the first administrator, and sign them in."""
    now = now or clock.now()
    username = normal_username(request.username)
    with db.read() as session:
        _check_setup_token(session, request.token)
    password_hash = _hash_password(request.password, username)
    with db.write("setup") as session:
        _check_setup_token(session, request.token)  # again, now that nobody else can use it
        admin = _add_admin(session, username, password_hash, now)
        write_settings.remove(session, _SETUP)
        return open_session(session, admin, lifetime, now)


@retried
def issue_agent_token(db: Database, name: str, *, now: datetime | None = None) -> str:
    """A new token for the embedded agent; the token of the same name from the previous start ends."""
    now = now or clock.now()
    with db.write("setup.agent", essential=True) as session:
        owner = next((user for user in read_users.every(session) if user.role == "admin" and not user.disabled), None)
        if owner is None:
            raise Conflict(
                "An agent's token belongs to an administrator, and there is none yet; set up the appliance first."
            )
        write_tokens.revoke_named(session, name, "agent", now)
        return issue(session, SYSTEM, owner, name, "agent", now).token


def _check_secret(variable: str, secret: str) -> None:
    """Accept a secret from the environment, with a warning when it is weak; refuse one that anyone could guess."""
    if secret and len(secret) < MIN_SECRET_LENGTH:
        raise Invalid(f"{variable} is too short; use at least {MIN_SECRET_LENGTH} characters.")
    if secret and len(secret) < GOOD_SECRET_LENGTH:
        log.warning("%s is short; %d random characters or more are hard to guess.", variable, GOOD_SECRET_LENGTH)


def _hash_password(password: str, username: str = "") -> str:
    passwords.check_strength(password, username)
    return passwords.hash_password(password)


def _check_setup_token(session: Session, token: str) -> None:
    if read_users.any_exists(session):
        raise Conflict("This appliance has been set up already; sign in instead.")
    stored = read_settings.get(session, _SETUP)
    if stored is None or not hmac.compare_digest(stored, ids.sha256(token)):
        raise Forbidden("The setup link is not valid; restart the appliance to get a new one.")


def _add_admin(
    session: Session, username: str, password_hash: str | None, now: datetime, must_change: bool = False
) -> UserRow:
    user_id = ids.uuid7()
    write_users.add(
        session,
        id=user_id,
        username=username,
        password_hash=password_hash,
        role="admin",
        created=now,
        must_change_password=must_change,
    )
    announce(session, "user", user_id, "user.created", {"role": "admin"}, SYSTEM, now)
    user = read_users.get(session, user_id)
    assert user is not None
    return user
