"""Reads of agents."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from appliance.server.db.prepared import Prepared
from appliance.server.db.reads import readable
from appliance.server.db.reads.among import OfMany
from appliance.server.db.reads.run_filter_names import unknown
from appliance.server.db.reads.settings import Stored
from appliance.server.db.rows.agents import AgentRow
from appliance.server.db.tables import metadata
from appliance.server.domain import hosts
from appliance.server.domain.agent_states import FORGOTTEN
from appliance.server.domain.sanitize import composed
from appliance.server.domain.waiting import HEALTHS, health_of

_agent = metadata.tables["agent"]
MOST = 500
LOST = Stored("agents.lost", list[UUID])
"""Those whose loss was announced, but not yet their return."""
_EVERY = Prepared(
    select(_agent).where(_agent.c.state != FORGOTTEN).order_by(_agent.c.last_seen.desc(), _agent.c.id).limit(MOST)
)
_OF_IDS = OfMany(lambda among: select(_agent).where(among(_agent.c.id)))
_ONE = select(_agent).where(_agent.c.id == bindparam("agent"))


def every(session: Session) -> Sequence[AgentRow]:
    """All agents that nobody has forgotten, the most recently seen first; at most 500."""
    return cast(Sequence[AgentRow], readable.every(session, _EVERY))


def matching(session: Session, now: datetime, health: str | None, labels: Collection[str]) -> Sequence[AgentRow]:
    """The agents of a health that have all labels. Raises UnknownName for what no agent is or has."""
    rows = every(session)
    if health is not None and health not in HEALTHS:
        raise unknown("health", health, HEALTHS, "an agent is one of")
    labels_of = {row.id: hosts.with_host(row.labels, row.host) for row in rows}
    known = {label for own in labels_of.values() for label in own}
    needed = {composed(label) for label in labels}
    for label in sorted(needed):
        if label not in known:
            raise unknown("label", label, known, "the labels of agents are")
    healthy = [row for row in rows if health in (None, health_of(row, now))]
    return [row for row in healthy if needed <= set(labels_of[row.id])]


def by_ids(session: Session, ids: Collection[UUID]) -> Sequence[AgentRow]:
    return cast(Sequence[AgentRow], _OF_IDS.every(session, ids))


def known(session: Session, agent_id: UUID) -> AgentRow | None:
    """The agent, unless somebody has forgotten it."""
    agent = get(session, agent_id)
    return None if agent is None or agent.state == FORGOTTEN else agent


def get(session: Session, agent_id: UUID) -> AgentRow | None:
    """None also for one that can't be read: it enrols again, which replaces what is damaged."""
    return cast(AgentRow | None, next(iter(readable.every(session, _ONE, {"agent": agent_id})), None))
