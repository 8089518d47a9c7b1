"""Identifies the actor by a bearer token. The database stores only SHA-256 hashes; the secrets are 256 random bits."""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import ids
from appliance.server.auth.identity import Actor, Binding, Credential
from appliance.server.db.reads import flow_runs, tokens
from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.writes import tokens as write_tokens
from appliance.server.domain.transitions import LIVE

TOUCH_AFTER = timedelta(minutes=1)
RESEND = timedelta(minutes=15)
"""How long `report` still accepts a finished attempt's token, so that it can resend its last batch if the answer was lost."""


def authenticate_api_token(session: Session, bearer: str, now: datetime) -> tuple[Actor, Credential, bool] | None:
    """The actor, the credential, and whether to record the last use; None unless token and user are active."""
    row = tokens.by_hash(session, ids.sha256(bearer))
    if (
        row is None
        or row.revoked_at is not None
        or row.disabled
        or (row.expires_at is not None and row.expires_at <= now)
    ):
        return None
    stale = row.last_used is None or now - row.last_used >= TOUCH_AFTER
    if row.scope == "user":
        actor = Actor(kind="user", name=row.username, role=row.role, user_id=row.user_id)
    elif row.scope == "agent":
        bound = tuple(row.bound_labels or ()), tuple(row.bound_projects or ())
        binding = Binding(row.id, row.bound_name, *bound) if row.binds else None
        actor = Actor(kind="agent", name=row.name, user_id=row.user_id, binding=binding)
    else:
        return None
    return actor, Credential(kind="token", id=row.id), stale


def authenticate_run_token(
    session: Session, flow_run_id: UUID, bearer: str, now: datetime
) -> tuple[Actor, Credential] | None:
    """The actor for a run's current attempt; None if the token belongs to another attempt, or the attempt has long ended."""
    row = flow_runs.token_of(session, flow_run_id)
    if row is None or row.run_token_hash is None:
        return None
    if not hmac.compare_digest(row.run_token_hash, ids.sha256(bearer)):
        return None
    if row.state_type not in LIVE and now - row.state_at > RESEND:
        return None
    actor = Actor(kind="run", name=str(flow_run_id), flow_run_id=flow_run_id, attempt=row.attempt)
    return actor, Credential(kind="run", id=flow_run_id)


@retried
def touch(database: Database, token_id: UUID, now: datetime) -> None:
    """Record that the token was used, at most once a minute, so that reads rarely cause a write."""
    with database.write("token.used") as session:
        write_tokens.touch(session, token_id, now, now - TOUCH_AFTER)
