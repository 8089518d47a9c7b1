"""Writing flows and their versions."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import and_, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from appliance.kit import ids
from appliance.kit.documents import JsonDocument
from appliance.server.db.rows.flows import RunnableFlow, RunnableVersion
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.tables.projects import Project

_flows = table(Flow)
_versions = table(FlowVersion)
_projects = table(Project)


def ensure_locked(session: Session, project_id: UUID, name: str, now: datetime) -> Flow:
    """The flow of this name, made where it is missing, held until the transaction ends: versions are numbered one by one."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = {
        "id": ids.uuid7(),
        "project_id": project_id,
        "name": name,
        "overrides": {},
        "settings": {},
        "paused": False,
        "archived": False,
        "created": now,
        "updated": now,
    }
    session.execute(insert(_flows).values(row).on_conflict_do_nothing())
    statement = select(Flow).where(_flows.c.project_id == project_id, _flows.c.name == name)
    return session.execute(statement.with_for_update(key_share=True)).scalar_one()


_RUNNABLE = select(
    _flows.c.id, _flows.c.name, _flows.c.overrides, _flows.c.archived, _projects.c.name.label("project")
).join(_projects, _projects.c.id == _flows.c.project_id)
_BY_ID = _RUNNABLE.where(_flows.c.id == bindparam("flow"))
_BY_NAME = _RUNNABLE.where(_projects.c.name == bindparam("project"), _flows.c.name == bindparam("flow"))
_STARTED = (
    select(_versions.c.id, _versions.c.parameters, _versions.c.labels, _versions.c.run_config)
    .where(_versions.c.flow_id == bindparam("flow"))
    .order_by(_versions.c.number.desc())
    .limit(1)
)


def runnable(
    session: Session, flow_id: UUID | None, project: str | None, name: str | None
) -> tuple[RunnableFlow, RunnableVersion | None] | None:
    """What a new run needs of the flow with this id, or with this name in this project, and of its newest version (None: it has
    none), as rows without the graph."""
    connection = session.connection()
    if flow_id is not None:
        flow = connection.execute(_BY_ID, {"flow": flow_id}).one_or_none()
    else:
        flow = connection.execute(_BY_NAME, {"project": project, "flow": name}).one_or_none()
    if flow is None:
        return None
    version = connection.execute(_STARTED, {"flow": flow.id}).one_or_none()
    return cast(RunnableFlow, flow), cast(RunnableVersion | None, version)


def find(session: Session, flow_id: UUID | None, project: str | None, name: str | None) -> Flow | None:
    """The flow with this id, or with this name in this project."""
    if flow_id is not None:
        return session.get(Flow, flow_id)
    statement = select(Flow).join(_projects, _projects.c.id == _flows.c.project_id)
    return session.execute(statement.where(_projects.c.name == project, _flows.c.name == name)).scalar_one_or_none()


def newest_version(session: Session, flow_id: UUID) -> FlowVersion | None:
    """The version that new runs execute."""
    statement = select(FlowVersion).where(_versions.c.flow_id == flow_id).order_by(_versions.c.number.desc()).limit(1)
    return session.execute(statement).scalar_one_or_none()


def newest_versions(session: Session, flow_ids: Collection[UUID]) -> dict[UUID, FlowVersion]:
    """The version that new runs execute, by flow."""
    newest = (
        select(_versions.c.flow_id, func.max(_versions.c.number).label("number"))
        .where(_versions.c.flow_id.in_(flow_ids))
        .group_by(_versions.c.flow_id)
        .subquery()
    )
    statement = select(FlowVersion).join(
        newest, and_(newest.c.flow_id == _versions.c.flow_id, newest.c.number == _versions.c.number)
    )
    return {version.flow_id: version for version in session.execute(statement).scalars()}


def by_ids(session: Session, flow_ids: Collection[UUID]) -> dict[UUID, Flow]:
    """Flows by their ids."""
    return {flow.id: flow for flow in session.execute(select(Flow).where(_flows.c.id.in_(flow_ids))).scalars()}


def version_of_content(session: Session, flow_id: UUID, content_hash: str) -> FlowVersion | None:
    statement = select(FlowVersion).where(_versions.c.flow_id == flow_id, _versions.c.content_hash == content_hash)
    return session.execute(statement).scalar_one_or_none()


def next_number(session: Session, flow_id: UUID) -> int:
    newest = session.execute(select(func.max(_versions.c.number)).where(_versions.c.flow_id == flow_id)).scalar()
    return int(newest or 0) + 1


def graph_of(session: Session, version_id: UUID) -> JsonDocument:
    """The graph of a version, which never changes."""
    graph: JsonDocument = session.execute(select(_versions.c.graph).where(_versions.c.id == version_id)).scalar_one()
    return graph
