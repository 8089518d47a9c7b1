"""Reads of API tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from appliance.server.db.prepared import Prepared
from appliance.server.db.reads import readable
from appliance.server.db.rows.tokens import TokenRow
from appliance.server.db.tables import metadata

_token = metadata.tables["api_token"]
_user = metadata.tables["user"]
_joined = select(_token, _user.c.username, _user.c.role, _user.c.disabled).join(_user, _user.c.id == _token.c.user_id)
_OF_HASH = Prepared(_joined.where(_token.c.token_hash == bindparam("hash")))
MOST = 1_000


def by_hash(session: Session, token_hash: str) -> TokenRow | None:
    """The token with its user's name, role and state."""
    return cast(TokenRow | None, _OF_HASH.one_or_none(session, {"hash": token_hash}))


def get(session: Session, token_id: UUID) -> TokenRow | None:
    return cast(TokenRow | None, session.execute(_joined.where(_token.c.id == token_id)).one_or_none())


def has_token(session: Session, agent: str, now: datetime) -> bool:
    """Whether a token that is still good is bound to an agent of this name."""
    good = (_token.c.revoked_at.is_(None), or_(_token.c.expires_at.is_(None), _token.c.expires_at > now))
    query = select(_token.c.id).where(_token.c.bound_name == agent, *good).limit(1)
    return session.execute(query).first() is not None


def live(session: Session) -> Sequence[TokenRow]:
    """Tokens that are not revoked, newest first; at most a thousand."""
    query = _joined.where(_token.c.revoked_at.is_(None)).order_by(_token.c.created.desc(), _token.c.id.desc())
    return cast(Sequence[TokenRow], readable.every(session, query.limit(MOST)))
