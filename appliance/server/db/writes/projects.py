"""Writing projects."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.kit import ids
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.projects import Project
from appliance.server.db.upserts import upsert

_projects = table(Project)


def create(session: Session, name: str, now: datetime) -> UUID | None:
    """Create a project; None when there is one with this name already."""
    row = {"id": ids.uuid7(), "name": name, "description": "", "archived": False, "paused": False, "created": now}
    statement = upsert(session, _projects).values(row).on_conflict_do_nothing().returning(_projects.c.id)
    return session.execute(statement).scalar()


def share(session: Session, name: str) -> Project | None:
    """The project with this name, which stays as it is until the transaction ends."""
    statement = select(Project).where(_projects.c.name == name).with_for_update(read=True)
    return session.execute(statement).scalar_one_or_none()


def lock(session: Session, project_id: UUID) -> Project | None:
    """Lock the project until the transaction ends; None when there is no such project."""
    statement = select(Project).where(_projects.c.id == project_id).with_for_update(key_share=True)
    return session.execute(statement.execution_options(populate_existing=True)).scalar_one_or_none()
