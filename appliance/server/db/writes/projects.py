"""Writing projects."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from appliance.kit import ids
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.projects import Project

_projects = table(Project)


def ensure(session: Session, name: str, now: datetime) -> tuple[UUID, bool]:
    """The id of the project with this name, which is created if it is missing, and whether it was."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = {"id": ids.uuid7(), "name": name, "description": "", "created": now}
    statement = insert(_projects).values(row).on_conflict_do_nothing().returning(_projects.c.id)
    created_id = session.execute(statement).scalar()
    if created_id is not None:
        return created_id, True
    project_id: UUID = session.execute(select(_projects.c.id).where(_projects.c.name == name)).scalar_one()
    return project_id, False
