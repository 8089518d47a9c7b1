"""Reads of agents."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.server.db.reads.pages import Rows
from appliance.server.db.tables import metadata

_agent = metadata.tables["agent"]
MOST = 500


def every(session: Session) -> Rows:
    """All agents, those seen last first; never more than 500."""
    return session.execute(select(_agent).order_by(_agent.c.last_seen.desc(), _agent.c.id).limit(MOST)).all()


def by_ids(session: Session, ids: Collection[UUID]) -> Rows:
    return session.execute(select(_agent).where(_agent.c.id.in_(ids))).all()
