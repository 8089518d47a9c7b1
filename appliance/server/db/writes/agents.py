"""Writing agents."""

from __future__ import annotations

from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from appliance.server.db.rows.agents import AgentRow, NewAgent
from appliance.server.db.rows.flow_runs import HeldRun
from appliance.server.db.rows.flows import VersionWork
from appliance.server.db.tables.agents import Agent
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.tables.projects import Project

_agents = table(Agent)
_runs = table(FlowRun)
_versions = table(FlowVersion)
_flows = table(Flow)
_projects = table(Project)
_RENEWED = frozenset(("type", "labels", "capacity", "version", "host", "last_seen"))
"""What an agent that enrols again says anew."""
_ONE = select(_agents).where(_agents.c.id == bindparam("agent"))
_SEEN = (
    update(_agents)
    .where(_agents.c.id == bindparam("agent"))
    .values(last_seen=bindparam("now"), labels=bindparam("now_labels"))
)
_WORK = (
    select(_versions.c.id, _versions.c.storage, _flows.c.name.label("flow"), _projects.c.name.label("project"))
    .join(_flows, _flows.c.id == _versions.c.flow_id)
    .join(_projects, _projects.c.id == _flows.c.project_id)
    .where(_versions.c.id.in_(bindparam("versions", expanding=True)))
)


def enrol(session: Session, row: NewAgent) -> UUID:
    """Insert the agent, or renew the one of the same name; its id."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    renewed = {key: value for key, value in row.items() if key in _RENEWED}
    statement = insert(_agents).values(row).on_conflict_do_update(index_elements=["name"], set_=renewed)
    id: UUID = session.connection().execute(statement.returning(_agents.c.id)).scalar_one()
    return id


def find(session: Session, agent_id: UUID) -> AgentRow | None:
    """The agent as a row."""
    return cast(AgentRow | None, session.connection().execute(_ONE, {"agent": agent_id}).one_or_none())


def seen(session: Session, agent_id: UUID, labels: list[str], now: datetime) -> None:
    """Note that the agent was heard of, and with which labels it works now."""
    session.connection().execute(_SEEN, {"agent": agent_id, "now": now, "now_labels": labels})


def held(session: Session, attempts: list[tuple[UUID, int]]) -> dict[UUID, HeldRun]:
    """The runs that an agent says it holds, by id."""
    if not attempts:
        return {}
    columns = (
        _runs.c.id,
        _runs.c.attempt,
        _runs.c.agent_id,
        _runs.c.state_type,
        _runs.c.state_name,
        _runs.c.state_message,
    )
    rows = session.connection().execute(select(*columns).where(_runs.c.id.in_([run for run, _ in attempts])))
    return {row.id: cast(HeldRun, row) for row in rows}


def work_of(session: Session, version_ids: list[UUID]) -> dict[UUID, VersionWork]:
    """Flow, project and storage of the versions, by version id."""
    rows = session.connection().execute(_WORK, {"versions": sorted(set(version_ids))})
    return {row.id: cast(VersionWork, row) for row in rows}
