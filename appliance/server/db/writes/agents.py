"""Writing agents."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import cast
from uuid import UUID

from sqlalchemy import Update, bindparam, case, func, select, update
from sqlalchemy.orm import Session

from appliance.server.db.reads import readable
from appliance.server.db.rows.agents import Enrolment, NewAgent
from appliance.server.db.tables.agents import Agent
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.tables.projects import Project
from appliance.server.db.upserts import upsert
from appliance.server.domain.agent_states import ENROLS, FORGOTTEN, SIGNS_OFF, Moves

_agents = table(Agent)
_runs = table(FlowRun)
_versions = table(FlowVersion)
_flows = table(Flow)
_projects = table(Project)
_NEXT = func.coalesce(_agents.c.revision, 0) + 1
_UPDATED = frozenset(NewAgent.__annotations__) - {"id", "name", "revision", "state", "created"}
"""The columns that change when an agent enrols again."""
_TOUCH = update(_agents).where(_agents.c.id == bindparam("agent")).values(last_seen=bindparam("now"))
_RELABEL = _TOUCH.values(labels=bindparam("now_labels"))


def enrol(session: Session, row: NewAgent) -> Enrolment:
    """Insert the agent, or update the one with the same name. What is damaged of it is replaced."""
    state = case(dict(ENROLS), value=_agents.c.state, else_=_agents.c.state)
    updated = {key: value for key, value in row.items() if key in _UPDATED} | {"state": state, "revision": _NEXT}
    statement = upsert(session, _agents).values(row).on_conflict_do_update(index_elements=["name"], set_=updated)
    connection = session.connection()
    enrolled = readable.changed(session, statement.returning(_agents.c.id, _agents.c.revision))
    whole = select(_agents).where(_agents.c.name == row["name"])
    if not enrolled or not readable.every(session, whole):
        replaced = {key: value for key, value in row.items() if key not in ("id", "revision") or not enrolled}
        connection.execute(update(_agents).where(_agents.c.name == row["name"]).values(replaced))
    return cast(Enrolment, enrolled[0] if enrolled else SimpleNamespace(id=row["id"], revision=row["revision"]))


def sign_off(session: Session, agent_id: UUID, now: datetime) -> bool:
    """Mark an agent as stopped; True if it was not marked before."""
    return bool(session.connection().execute(_move(agent_id, SIGNS_OFF).values(last_seen=now, revision=_NEXT)).rowcount)


def move(session: Session, agent_id: UUID, moves: Moves) -> bool:
    """Change the state as these moves say; False if there is nothing to do from the present one."""
    return bool(session.connection().execute(_move(agent_id, moves)).rowcount)


def forget(session: Session, agent_id: UUID, last_seen: datetime) -> bool:
    """Forget an agent; False if it was heard from since then."""
    statement = update(_agents).where(_agents.c.id == agent_id, _agents.c.last_seen == last_seen)
    return bool(session.connection().execute(statement.values(state=FORGOTTEN, revision=_NEXT)).rowcount)


def _move(agent_id: UUID, moves: Moves) -> Update:
    statement = update(_agents).where(_agents.c.id == agent_id, _agents.c.state.in_(moves))
    return statement.values(state=case(dict(moves), value=_agents.c.state))


def touch(session: Session, agent_id: UUID, labels: list[str] | None, now: datetime) -> None:
    """Record when the agent was last heard from, and its labels, if it has just named them."""
    values = {"agent": agent_id, "now": now}
    if labels is None:
        session.connection().execute(_TOUCH, values)
    else:
        session.connection().execute(_RELABEL, values | {"now_labels": labels})
