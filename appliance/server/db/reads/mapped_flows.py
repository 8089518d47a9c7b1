"""Reads of flows and their versions as mapped objects, for actions that change them or need all of them."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from appliance.server.db.reads import readable
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.tables.projects import Project

_flows = table(Flow)
_versions = table(FlowVersion)
_projects = table(Project)


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
    return {version.flow_id: version for version in readable.objects(session, statement)}


def by_ids(session: Session, flow_ids: Collection[UUID]) -> dict[UUID, Flow]:
    """Flows by their ids."""
    return {flow.id: flow for flow in readable.objects(session, select(Flow).where(_flows.c.id.in_(flow_ids)))}


def versions_with(session: Session, flow_id: UUID, hashes: Collection[str]) -> list[FlowVersion]:
    """The versions with one of these content hashes, oldest first."""
    statement = select(FlowVersion).where(_versions.c.flow_id == flow_id, _versions.c.content_hash.in_(hashes))
    return readable.objects(session, statement.order_by(_versions.c.number))


def exists(session: Session, project_id: UUID, name: str) -> bool:
    """Whether the project has a flow with this name."""
    statement = select(_flows.c.id).where(_flows.c.project_id == project_id, _flows.c.name == name)
    return session.execute(statement).first() is not None
