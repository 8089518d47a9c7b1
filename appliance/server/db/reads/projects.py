"""Reads of projects."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import cast
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from appliance.server.db.reads import readable
from appliance.server.db.reads.among import OfMany
from appliance.server.db.rows.projects import ProjectRow
from appliance.server.db.tables import metadata

_project = metadata.tables["project"]
_flow = metadata.tables["flow"]
MOST = 500
_OF_IDS = OfMany(lambda among: select(_project).where(among(_project.c.id)))
_FLOW_COUNTS = OfMany(
    lambda among: (
        select(_flow.c.project_id, func.count())
        .where(among(_flow.c.project_id), _flow.c.archived.is_(False))
        .group_by(_flow.c.project_id)
    )
)


def every(session: Session, archived: bool = False) -> Sequence[ProjectRow]:
    """All projects by name, those in use or those in the archive; a site has a handful, and at most 500 are listed."""
    statement = select(_project).where(_project.c.archived.is_(archived)).order_by(_project.c.name).limit(MOST)
    return cast(Sequence[ProjectRow], readable.every(session, statement))


def by_ids(session: Session, ids: Collection[UUID]) -> Sequence[ProjectRow]:
    return cast(Sequence[ProjectRow], _OF_IDS.every(session, ids))


def ids_of(session: Session, names: Collection[str]) -> dict[str, UUID]:
    """The ids of the projects with these names, in use or in the archive, by name."""
    rows = readable.every(session, select(_project.c.name, _project.c.id).where(_project.c.name.in_(names)))
    return {row.name: row.id for row in rows}


def is_paused(session: Session, project_id: UUID) -> bool:
    """Whether the project is paused, with all its flows."""
    return bool(session.execute(select(_project.c.paused).where(_project.c.id == project_id)).scalar_one())


def flow_counts(session: Session, ids: Collection[UUID]) -> dict[UUID, int]:
    """How many flows of each project are not archived."""
    return {project_id: number for project_id, number in _FLOW_COUNTS.every(session, ids)}
