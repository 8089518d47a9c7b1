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
    """The id of the project of this name, and whether it was made now."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = {"id": ids.uuid7(), "name": name, "description": "", "created": now}
    statement = insert(_projects).values(row).on_conflict_do_nothing().returning(_projects.c.id)
    made = session.execute(statement).scalar()
    if made is not None:
        return made, True
    found: UUID = session.execute(select(_projects.c.id).where(_projects.c.name == name)).scalar_one()
    return found, False
