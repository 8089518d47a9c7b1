"""Claiming a new appliance: from the environment on the first start, or by a one-time token that the first start prints. And the way
back in for the machine's administrator when nobody has a password."""

from __future__ import annotations

import hmac
import logging
import re
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from appliance.config import Settings
from appliance.kit import clock, ids
from appliance.protocol.users import Setup
from appliance.server.actions.sessions import SignedIn, open_session
from appliance.server.actions.tokens import issue
from appliance.server.actions.users import normal_username
from appliance.server.auth import passwords
from appliance.server.auth.identity import SYSTEM
from appliance.server.auth.origins import UNKNOWN, Origin
from appliance.server.db.reads import settings as read_settings
from appliance.server.db.reads import tokens as read_tokens
from appliance.server.db.reads import users as read_users
from appliance.server.db.retries import retried
from appliance.server.db.rows.users import UserRow
from appliance.server.db.session import Database
from appliance.server.db.writes import sessions as write_sessions
from appliance.server.db.writes import settings as write_settings
from appliance.server.db.writes import tokens as write_tokens
from appliance.server.db.writes import users as write_users
from appliance.server.errors import Conflict, Forbidden, Invalid
from appliance.server.events.outbox import announce

log = logging.getLogger(__name__)

ADMIN = "admin"
MIN_TOKEN_LENGTH = 8
GOOD_TOKEN_LENGTH = 16
_SENDABLE = re.compile(r"(?! )[\x20-\x7e]*(?<! )")
_PRESET = "preset_password_hash"
"""The password that was in the environment at the last start, whatever the password of `admin` has been changed to since."""
_FROM_ENVIRONMENT = "from the environment"
AGENTS_USER = "agent_not_separated"
LINK_HOURS = 24
"""How long a setup link is good for, unless the next one replaces it."""


_ANOTHER = "get another with `appliance admin setup-link` on the appliance's machine, or by restarting it"


class _SetupToken(msgspec.Struct, frozen=True):
    """What is stored of the setup link's token."""

    sha256: str
    expires_at: datetime


_SETUP = read_settings.Stored("setup_token", _SetupToken)


def setup_required(db: Database) -> bool:
    """Whether nobody has claimed this appliance yet."""
    with db.read() as session:
        return not read_users.any_exists(session)


@retried
def ensure_admin(
    db: Database, password: str, token: str, *, must_change: bool = False, now: datetime | None = None
) -> None:
    """On the first start create the user `admin` with this password, this token or both. Later, one that has changed in the environment
    since the last start replaces the former one. With `must_change`, the first thing to do with the password is to change it."""
    if not password and not token:
        return
    now = now or clock.now()
    _check_token(token)
    with db.read() as session:
        admin = read_users.by_username(session, ADMIN)
        if admin is None and read_users.any_exists(session):
            return  # the site was claimed under another name; the environment doesn't add a second administrator
        preset = read_settings.get(session, _PRESET)
        known = read_tokens.by_hash(session, ids.sha256(token)) if token else None
    new_token = bool(token) and known is None
    if known is not None and known.revoked_at is not None:
        log.warning("APPLIANCE_ADMIN_TOKEN has been revoked, so it stays without effect; choose another token.")
    same_password = not password or (preset is not None and passwords.verify(preset, password))
    if password:
        _check_preset(password, is_new=not same_password, development=db.rules.development)
    if admin is not None and same_password and not new_token:
        return
    password_hash = None if same_password else passwords.hash_password(password)
    with db.write("setup.admin") as session:
        admin = read_users.by_username(session, ADMIN)
        if admin is None:
            must = must_change and password_hash is not None
            admin = _add_admin(session, ADMIN, password_hash, now, must_change=must)
        elif password_hash is not None and preset is not None:
            _set_password(session, admin.id, password_hash, must_change, now)
            log.warning("APPLIANCE_ADMIN_PASSWORD has changed: it is the password of the user admin now.")
        if password_hash is not None:
            write_settings.put(session, _PRESET, password_hash, now)
        if new_token and read_tokens.by_hash(session, ids.sha256(token)) is None:
            if write_tokens.revoke_named(session, _FROM_ENVIRONMENT, "user", now):
                log.warning("APPLIANCE_ADMIN_TOKEN has changed: the former token has ended.")
            issue(session, SYSTEM, admin, _FROM_ENVIRONMENT, "user", now, secret=token)


@retried
def reset_admin(db: Database, username: str, password: str, *, now: datetime | None = None) -> str:
    """Give an administrator this password, whatever happened to them: a user who is missing is added, and one who is disabled or has
    another role is an administrator again. Their sessions end. Returns the name."""
    now = now or clock.now()
    name = normal_username(username)
    password_hash = _hash_password(db, password, name)
    with db.write("setup.reset") as session:
        user = read_users.by_username(session, name)
        if user is None:
            user = _add_admin(session, name, password_hash, now)
        else:
            write_users.edit(session, user.id, "admin", disabled=False)
            _set_password(session, user.id, password_hash, False, now)
        announce(session, "user", user.id, "user.reset", {"username": name}, SYSTEM, now)
    return name


@retried
def create_setup_token(db: Database, *, now: datetime | None = None) -> str:
    """A new one-time setup token, good for a day; it replaces the previous one. Raises Conflict once the appliance is claimed."""
    now = now or clock.now()
    secret = ids.secret("setup")
    stored = msgspec.json.encode(_SetupToken(ids.sha256(secret), now + timedelta(hours=LINK_HOURS))).decode()
    with db.write("setup.token") as session:
        if read_users.any_exists(session):
            raise Conflict("This appliance has been set up already; sign in instead.")
        write_settings.put(session, _SETUP.name, stored, now)
    return secret


def setup_link(settings: Settings, token: str) -> str:
    """The token is in the fragment, which browsers send to nobody: it gets into no log of a server or a proxy."""
    return f"{settings.local_url}/setup#token={token}"


@retried
def use_setup(
    db: Database, request: Setup, lifetime: timedelta, *, origin: Origin = UNKNOWN, now: datetime | None = None
) -> SignedIn:
    """Claim the appliance: check the one-time token, create the first administrator, and sign them in."""
    now = now or clock.now()
    username = normal_username(request.username)
    with db.read() as session:
        _check_setup_token(session, request.token, now)
    password_hash = _hash_password(db, request.password, username)
    with db.write("setup") as session:
        _check_setup_token(session, request.token, now)  # again, now that nobody else can use it
        admin = _add_admin(session, username, password_hash, now)
        return open_session(session, admin, lifetime, origin, now)


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


def is_agent_token(db: Database, name: str, secret: str, *, now: datetime | None = None) -> bool:
    """Whether this is a token of an agent, created under this name, that is still good."""
    now = now or clock.now()
    with db.read() as session:
        token = read_tokens.by_hash(session, ids.sha256(secret))
    return (
        token is not None
        and (token.scope, token.name) == ("agent", name)
        and token.revoked_at is None
        and not token.disabled
        and (token.expires_at is None or token.expires_at > now)
    )


@retried
def note_agents_user(db: Database, problem: str, *, now: datetime | None = None) -> None:
    """Remember why the embedded agent is not separated from the server, for those who look; empty if it is."""
    now = now or clock.now()
    with db.write("setup.agents_user", essential=True) as session:
        if problem:
            write_settings.put(session, AGENTS_USER, problem, now)
        else:
            write_settings.remove(session, AGENTS_USER)


def _check_token(token: str) -> None:
    """Accept a token from the environment, with a warning when it is weak; refuse one that anyone could guess, or nobody could send."""
    if token and len(token) < MIN_TOKEN_LENGTH:
        raise Invalid(f"APPLIANCE_ADMIN_TOKEN is too short; use at least {MIN_TOKEN_LENGTH} characters.")
    if token and len(token) < GOOD_TOKEN_LENGTH:
        log.warning(
            "APPLIANCE_ADMIN_TOKEN is short; %d random characters or more are hard to guess.", GOOD_TOKEN_LENGTH
        )
    if not _SENDABLE.fullmatch(token):
        raise Invalid(
            "APPLIANCE_ADMIN_TOKEN contains a line break, a space at an end or a character that is not ASCII, so that no "
            "client could send it; remove it or choose another token."
        )


def _check_preset(password: str, *, is_new: bool, development: bool) -> None:
    """Refuse a weak password from the environment. One from before this rule is kept with a warning: an upgrade must not stop a site."""
    problem = passwords.problem_of(password, ADMIN, development=development)
    if problem and is_new:
        raise Invalid(
            f"APPLIANCE_ADMIN_PASSWORD {problem}, or set APPLIANCE_DEVELOPMENT=true on a machine that nobody else can reach."
        )
    if problem:
        log.warning("APPLIANCE_ADMIN_PASSWORD %s. It stays valid because it is the one of the last start.", problem)


def _hash_password(db: Database, password: str, username: str) -> str:
    passwords.check_strength(password, username, development=db.rules.development)
    return passwords.hash_password(password)


def _set_password(session: Session, user_id: UUID, password_hash: str, must_change: bool, now: datetime) -> None:
    write_users.set_password(session, user_id, password_hash, must_change)
    write_sessions.remove_of_user(session, user_id, None)
    announce(session, "user", user_id, "user.password_set", {"must_change": must_change}, SYSTEM, now)


def _check_setup_token(session: Session, token: str, now: datetime) -> None:
    if read_users.any_exists(session):
        raise Conflict("This appliance has been set up already; sign in instead.")
    stored = _SETUP.find(session)
    if stored is None or not hmac.compare_digest(stored.sha256, ids.sha256(token)):
        raise Forbidden(f"The setup link is not valid; use the newest one, or {_ANOTHER}.")
    if stored.expires_at <= now:
        raise Forbidden(f"The setup link has expired; {_ANOTHER}.")


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
    write_settings.remove(session, _SETUP.name)
    announce(session, "user", user_id, "user.created", {"role": "admin"}, SYSTEM, now)
    user = read_users.get(session, user_id)
    assert user is not None
    return user
