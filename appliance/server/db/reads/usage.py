"""Reads of what projects have stored."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import BigInteger, bindparam, cast, func, select
from sqlalchemy.orm import Session

from appliance.server.db.reads import readable
from appliance.server.db.rows.usage import Stored
from appliance.server.db.tables import metadata

_usage = metadata.tables["project_usage"]
_flow = metadata.tables["flow"]
_version = metadata.tables["flow_version"]
_SUMS = (
    select(
        _usage.c.project_id,
        cast(func.sum(_usage.c.stored_rows), BigInteger).label("stored_rows"),
        cast(func.sum(_usage.c.stored_bytes), BigInteger).label("stored_bytes"),
    )
    .where(_usage.c.project_id.in_(bindparam("projects", expanding=True)))
    .group_by(_usage.c.project_id)
)
_PROJECTS = select(_flow.c.id, _flow.c.project_id).where(_flow.c.id.in_(bindparam("flows", expanding=True)))


def stored(session: Session, ids: Collection[UUID]) -> dict[UUID, Stored]:
    """How much each of these projects has stored, where it is anything."""
    return {row.project_id: row for row in readable.every(session, _SUMS.params(projects=list(ids)))}


def projects_of(session: Session, flow_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The project of each of these flows."""
    return {row.id: row.project_id for row in readable.every(session, _PROJECTS.params(flows=list(flow_ids)))}


def of_versions(session: Session, flow_id: UUID) -> tuple[int, int]:
    """How many versions of a flow are counted, and their bytes."""
    counted = (_version.c.flow_id == flow_id, _version.c.stored_bytes > 0)
    rows, size = (
        session.connection().execute(select(func.count(), func.sum(_version.c.stored_bytes)).where(*counted)).one()
    )
    return int(rows), int(size or 0)
