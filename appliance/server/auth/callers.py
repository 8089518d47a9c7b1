"""From what a request presents to the caller behind it: a bearer token, a run's token or a session cookie."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from appliance.server.auth import sessions, tokens
from appliance.server.auth.identity import Actor, Credential
from appliance.server.db.session import Database
from appliance.server.errors import Unauthenticated, Unavailable


@dataclass(frozen=True)
class Presented:
    """What a request shows to prove who it is. `flow_run_id` is set on the run protocol's routes only."""

    authorization: str | None = None
    cookie: str | None = None
    flow_run_id: UUID | None = None


@dataclass(frozen=True)
class Caller:
    """A known caller and what they were known by."""

    actor: Actor
    credential: Credential


def identify(db: Database, presented: Presented, now: datetime) -> Caller | None:
    """The caller; None when nothing was presented. Raises Unauthenticated for a credential that is not valid (any more)."""
    if presented.authorization is not None:
        return _by_bearer(db, _bearer(presented.authorization), presented.flow_run_id, now)
    if presented.cookie:
        return _by_cookie(db, presented.cookie, now)
    return None


def _bearer(authorization: str) -> str:
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated("The Authorization header must be: Bearer, a space, and a token.")
    return secret.strip()


def _by_bearer(db: Database, secret: str, flow_run_id: UUID | None, now: datetime) -> Caller:
    with db.read() as session:
        if flow_run_id is not None:
            of_run = tokens.authenticate_run_token(session, flow_run_id, secret, now)
            if of_run is not None:
                return Caller(*of_run)
        found = tokens.authenticate_api_token(session, secret, now)
    if found is None:
        raise Unauthenticated("The token is not valid: it is unknown, expired, revoked, or its user is disabled.")
    actor, credential, stale = found
    if stale:
        _note(lambda: tokens.touch(db, credential.id, now))
    return Caller(actor, credential)


def _by_cookie(db: Database, cookie: str, now: datetime) -> Caller:
    with db.read() as session:
        found = sessions.authenticate(session, cookie, now)
    if found is None:
        raise Unauthenticated("The session has ended; sign in again.")
    actor, credential, stale = found
    if stale:
        _note(lambda: sessions.touch(db, credential.id, now))
    return Caller(actor, credential)


def _note(write: Callable[[], None]) -> None:
    """Note a last use if that can be done now: a full or busy disk must not lock everybody out of reading."""
    with contextlib.suppress(Unavailable):
        write()
