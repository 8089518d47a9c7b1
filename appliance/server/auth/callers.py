"""Identifies the caller by the request's credentials: a bearer token, a run's token or a session cookie."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from appliance.server.auth import sessions, tokens
from appliance.server.auth.identity import Actor, Credential
from appliance.server.db.session import Database
from appliance.server.errors import Unauthenticated, Unavailable

PACKAGE_USER = "__token__"
"""Whose password is a token, for clients of the package index that know passwords only."""


@dataclass(frozen=True)
class RequestCredentials:
    """What a request sends to prove who its caller is. `flow_run_id` is set only on the run protocol's routes."""

    authorization: str | None = None
    cookie: str | None = None
    flow_run_id: UUID | None = None


@dataclass(frozen=True)
class Caller:
    """An authenticated caller and the credential that identified them."""

    actor: Actor
    credential: Credential


def identify(db: Database, credentials: RequestCredentials, now: datetime) -> Caller | None:
    """The caller, or None if there are no credentials. Raises Unauthenticated for an invalid or expired credential."""
    if credentials.authorization is not None:
        return _by_bearer(db, _bearer(credentials.authorization), credentials.flow_run_id, now)
    if credentials.cookie:
        return _by_cookie(db, credentials.cookie, now)
    return None


def from_package_client(authorization: str) -> str:
    """The same as a bearer token: pip can't send one, but it sends the user and the password in the index's address.

    Only for addresses that nothing but GET reads: browsers repeat passwords on their own, as they do cookies.
    """
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return authorization
    try:
        name, _, secret = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except ValueError:
        name = secret = ""
    if name != PACKAGE_USER or not secret:
        raise Unauthenticated(f"Send a token as the password of the user {PACKAGE_USER}.")
    return f"Bearer {secret}"


def _bearer(authorization: str) -> str:
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated("The Authorization header must be: Bearer, a space, and a token.")
    return secret.strip()


def _by_bearer(db: Database, secret: str, flow_run_id: UUID | None, now: datetime) -> Caller:
    with db.read(short=True) as session:
        if flow_run_id is not None:
            run = tokens.authenticate_run_token(session, flow_run_id, secret, now)
            if run is not None:
                return Caller(*run)
        match = tokens.authenticate_api_token(session, secret, now)
    if match is None:
        raise Unauthenticated("The token is not valid: it is unknown, expired, revoked, or its user is disabled.")
    actor, credential, stale = match
    if stale:
        _note(db, lambda: tokens.touch(db, credential.id, now))
    return Caller(actor, credential)


def _by_cookie(db: Database, cookie: str, now: datetime) -> Caller:
    idle = timedelta(hours=db.rules.session_idle_hours) if db.rules.session_idle_hours else None
    with db.read() as session:
        match = sessions.authenticate(session, cookie, now, idle)
    if match is None:
        raise Unauthenticated("The session has ended; sign in again.")
    actor, credential, stale = match
    if stale:
        _note(db, lambda: sessions.touch(db, credential.id, now))
    return Caller(actor, credential)


def _note(db: Database, write: Callable[[], None]) -> None:
    """Record the last use if that is possible at once: a full or busy disk must not lock everyone out of reading, nor another writer hold
    them up."""
    with contextlib.suppress(Unavailable), db.at_once():
        write()
