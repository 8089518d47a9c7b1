"""API tokens: creating one, whose secret only its creator gets, replacing it by another, and revoking it.

A creation that is sent again, because its answer was lost, is answered with the same secret. The database holds nothing to read it
from: the secret is worked out from the idempotency key, which only the caller knows, and a salt. A key that could be guessed would
give it away, so for a short key the secret is random and can't be had again.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock, ids
from appliance.kit.plurals import counted
from appliance.protocol.tokens import CreateToken, RotateToken, TokenCreated, TokenView
from appliance.server.actions.keyed import keyed
from appliance.server.actions.lengths import end_of
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import tokens as read_tokens
from appliance.server.db.reads import users as read_users
from appliance.server.db.rows.users import UserRow
from appliance.server.db.session import Database
from appliance.server.db.writes import tokens as write_tokens
from appliance.server.domain.rules import Rules
from appliance.server.errors import Conflict, Invalid, NotFound
from appliance.server.events.outbox import announce

SAFE_KEY = 20
"""How many characters a key must have to be taken for a random one."""
_PREFIX_LENGTH = 12  # "apl_agent_" and the first random characters
_PREFIX_OF_CHOSEN = 4  # of a secret that a person chose, show hardly anything
_KINDS = {"agent": "agent", "user": "api"}
_UNKNOWN = "There is no such token; list them to see their ids."
_LONGEST_OVERLAP = timedelta(days=30)


@dataclass(frozen=True)
class _Issued:
    """A token as its request's key remembers it. `secret` is there only when it can't be worked out again, and is not remembered."""

    view: TokenView
    salt: str
    secret: str = ""


def create(db: Database, actor: Actor, request: CreateToken, *, now: datetime | None = None) -> TokenCreated:
    """Create a token that acts as a user, or one that only agents use."""
    return _shown(actor, _create(db, actor, request, now=now or clock.now()))


def rotate(
    db: Database, actor: Actor, token_id: UUID, request: RotateToken, *, now: datetime | None = None
) -> TokenCreated:
    """Create a token that replaces another, with its name, scope, user and lifetime. The other one ends after the overlap, so that there
    is time to put the new one wherever it is used."""
    return _shown(actor, _rotate(db, actor, token_id, request, now=now or clock.now()))


def _shown(actor: Actor, issued: _Issued) -> TokenCreated:
    """The token with its secret. Raises Conflict if this is a repetition and the secret is lost."""
    secret = issued.secret or _secret(actor, issued.view.scope, issued.salt)
    if secret is None:
        raise Conflict(
            f"This request created the token {issued.view.name!r} before, and its secret can't be shown again, because the "
            "idempotency key is short enough to be guessed; revoke the token, and create one with a random key."
        )
    return TokenCreated(token=secret, view=issued.view)


@keyed("token.create", keep=lambda issued: replace(issued, secret=""))
def _create(db: Database, actor: Actor, request: CreateToken, *, now: datetime) -> _Issued:
    name = request.name.strip()
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise Invalid("A token's name has 1 to 100 printable characters.")
    if request.expires_at is not None:
        if request.expires_at.tzinfo is None:
            raise Invalid("The field expires_at needs a time zone; write it like 2027-01-31T06:30:00Z.")
        if request.expires_at <= now:
            raise Invalid("The field expires_at is in the past; choose a later time or leave it out.")
    chosen = end_of(now, request.expires_at, request.expires_in, ("expires_at", "expires_in"))
    ends = _end(db.rules, chosen, now)
    with db.write("token") as session:
        user = _owner(session, actor, request.username)
        return _issue(session, actor, user, name, request.scope, ends, now)


@keyed("token.rotate", keep=lambda issued: replace(issued, secret=""))
def _rotate(db: Database, actor: Actor, token_id: UUID, request: RotateToken, *, now: datetime) -> _Issued:
    overlap = request.overlap
    if not 0 <= overlap <= _LONGEST_OVERLAP.total_seconds():
        raise Invalid(
            f"The field overlap is a number of seconds, 0 to {_LONGEST_OVERLAP.total_seconds():.0f} (30 days)."
        )
    with db.write("token.rotate") as session:
        old = read_tokens.get(session, token_id)
        if old is None:
            raise NotFound(_UNKNOWN)
        if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
            raise Conflict(f"The token {old.name!r} has ended, so there is nothing to replace; create a new one.")
        user = read_users.get(session, old.user_id)
        assert user is not None
        lifetime = None if old.expires_at is None else now + (old.expires_at - old.created)
        scope: Literal["user", "agent"] = "agent" if old.scope == "agent" else "user"
        issued = _issue(session, actor, user, old.name, scope, _end(db.rules, lifetime, now), now)
        write_tokens.shorten(session, token_id, now + timedelta(seconds=overlap))
        if old.bound_name is not None:
            labels, project_names = old.bound_labels or [], old.bound_projects or []
            write_tokens.bind(session, issued.view.id, old.bound_name, labels, project_names)
        announce(session, "token", token_id, "token.rotated", {"successor": str(issued.view.id)}, actor, now)
        return issued


def _end(rules: Rules, chosen: datetime | None, now: datetime) -> datetime | None:
    """When a token ends: as its creator wants, or else after the site's usual time; never later than the site permits."""
    if chosen is None:
        days = [days for days in (rules.token_days, rules.longest_token_days) if days]
        return now + timedelta(days=min(days)) if days else None
    longest = rules.longest_token_days
    if longest and chosen > now + timedelta(days=longest):
        most = counted(longest, "day")
        raise Invalid(f"At this site a token lasts at most {most} (APPLIANCE_LONGEST_TOKEN_DAYS); choose less.")
    return chosen


def _issue(
    session: Session,
    actor: Actor,
    user: UserRow,
    name: str,
    scope: Literal["user", "agent"],
    ends: datetime | None,
    now: datetime,
) -> _Issued:
    salt = secrets.token_hex(16)
    secret = _secret(actor, scope, salt)
    made = issue(session, actor, user, name, scope, now, secret=secret, expires_at=ends)
    return _Issued(made.view, salt, made.token if secret is None else "")


def _secret(actor: Actor, scope: str, salt: str) -> str | None:
    """The secret that belongs to the request's key and the salt; None without a key that is hard to guess."""
    if actor.key is None or len(actor.key) < SAFE_KEY:
        return None
    return ids.derived_secret(_KINDS[scope], actor.key, salt)


@keyed("token.revoke")
def revoke(db: Database, actor: Actor, token_id: UUID, *, now: datetime | None = None) -> None:
    """End a token at once. Revoking it again changes nothing."""
    now = now or clock.now()
    with db.write("token.revoke") as session:
        if read_tokens.get(session, token_id) is None:
            raise NotFound(_UNKNOWN)
        if write_tokens.revoke(session, token_id, now):
            announce(session, "token", token_id, "token.revoked", {}, actor, now)


def issue(
    session: Session,
    actor: Actor,
    user: UserRow,
    name: str,
    scope: Literal["user", "agent"],
    now: datetime,
    *,
    secret: str | None = None,
    expires_at: datetime | None = None,
) -> TokenCreated:
    """Store a new token inside an action's transaction: `secret`, or a random one."""
    secret = secret or ids.secret(_KINDS[scope])
    length = _PREFIX_LENGTH if secret.startswith(f"apl_{_KINDS[scope]}_") else _PREFIX_OF_CHOSEN
    view = TokenView(
        id=ids.uuid7(),
        name=name,
        prefix=secret[:length],
        scope=scope,
        username=user.username,
        created=now,
        expires_at=expires_at,
    )
    write_tokens.add(
        session,
        {
            "id": view.id,
            "name": name,
            "prefix": view.prefix,
            "token_hash": ids.sha256(secret),
            "scope": scope,
            "user_id": user.id,
            "created": now,
            "created_by": actor.name,
            "expires_at": expires_at,
            "binds": scope == "agent",
        },
    )
    announce(session, "token", view.id, "token.created", {"scope": scope}, actor, now)
    return TokenCreated(token=secret, view=view)


def _owner(session: Session, actor: Actor, username: str | None) -> UserRow:
    if username is not None:
        user = read_users.by_username(session, username.strip().lower())
    else:
        user = read_users.get(session, actor.user_id) if actor.user_id is not None else None
    if user is None or user.disabled:
        raise Invalid("A token acts as an existing, enabled user; name one in the field username.")
    return user
