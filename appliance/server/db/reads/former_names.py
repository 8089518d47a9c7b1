"""Reads of names that flows and projects had before they were renamed."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.server.db.tables import metadata

FLOW, PROJECT = "flow", "project"
SITE = UUID(int=0)
"""The scope of projects' names."""
_former = metadata.tables["former_name"]
_flow = metadata.tables["flow"]
_project = metadata.tables["project"]


def flow_renamed_from(session: Session, project_id: UUID, name: str) -> tuple[UUID, str] | None:
    """The id and the current name of the flow that had this name in the project."""
    statement = (
        select(_flow.c.id, _flow.c.name)
        .join(_former, _former.c.object_id == _flow.c.id)
        .where(_former.c.noun == FLOW, _former.c.scope_id == project_id, _former.c.name == name)
    )
    row = session.execute(statement).one_or_none()
    return None if row is None else (row.id, row.name)


def project_renamed_from(session: Session, name: str) -> tuple[UUID, str] | None:
    """The id and the current name of the project that had this name."""
    statement = (
        select(_project.c.id, _project.c.name)
        .join(_former, _former.c.object_id == _project.c.id)
        .where(_former.c.noun == PROJECT, _former.c.scope_id == SITE, _former.c.name == name)
    )
    row = session.execute(statement).one_or_none()
    return None if row is None else (row.id, row.name)
