"""Creating and locking flows."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.kit import ids
from appliance.kit.documents import JsonDocument
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.tables.projects import Project
from appliance.server.db.upserts import upsert

_flows = table(Flow)
_versions = table(FlowVersion)
_projects = table(Project)


def lock_or_create(session: Session, project_id: UUID, name: str, now: datetime, new: JsonDocument) -> Flow:
    """The flow with this name, created with the values of `new` if it is missing; locked until the transaction ends, since versions are numbered one by one."""
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
        **new,
    }
    session.execute(upsert(session, _flows).values(row).on_conflict_do_nothing())
    statement = select(Flow).where(_flows.c.project_id == project_id, _flows.c.name == name)
    return session.execute(statement.with_for_update(key_share=True)).scalar_one()


def lock(session: Session, flow_id: UUID) -> Flow | None:
    """Lock the flow until the transaction ends; None when there is no such flow."""
    statement = select(Flow).where(_flows.c.id == flow_id)
    return session.execute(
        statement.with_for_update(key_share=True).execution_options(populate_existing=True)
    ).scalar_one_or_none()


def lock_of_project(session: Session, project_id: UUID) -> list[Flow]:
    """Lock all flows of a project until the transaction ends, oldest first."""
    statement = select(Flow).where(_flows.c.project_id == project_id).order_by(_flows.c.id)
    return list(session.execute(statement.with_for_update(key_share=True)).scalars())
