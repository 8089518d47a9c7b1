"""Reads of agents."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import cast
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from appliance.server.db.rows.agents import AgentRow
from appliance.server.db.tables import metadata

_agent = metadata.tables["agent"]
MOST = 500
_ONE = select(_agent).where(_agent.c.id == bindparam("agent"))


def every(session: Session) -> Sequence[AgentRow]:
    """All agents, the most recently seen first; at most 500."""
    statement = select(_agent).order_by(_agent.c.last_seen.desc(), _agent.c.id).limit(MOST)
    return cast(Sequence[AgentRow], session.execute(statement).all())


def by_ids(session: Session, ids: Collection[UUID]) -> Sequence[AgentRow]:
    return cast(Sequence[AgentRow], session.execute(select(_agent).where(_agent.c.id.in_(ids))).all())


def get(session: Session, agent_id: UUID) -> AgentRow | None:
    return cast(AgentRow | None, session.connection().execute(_ONE, {"agent": agent_id}).one_or_none())
