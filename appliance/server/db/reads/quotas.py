"""Counting for quotas, by an index and no further than the quota."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from appliance.server.db.tables import metadata

_run = metadata.tables["flow_run"]
_flow = metadata.tables["flow"]
_project = metadata.tables["project"]
_LOCK = select(_project.c.id).where(_project.c.id == bindparam("project")).with_for_update(key_share=True)
_OPEN = (
    select(_run.c.flow_id)
    .join(_flow, _flow.c.id == _run.c.flow_id)
    .where(_flow.c.project_id == bindparam("project"), _run.c.end_time.is_(None))
    .limit(bindparam("most"))
)
_COUNT_OPEN = select(func.count()).select_from(_OPEN.subquery())


def open_runs(session: Session, project_id: UUID, most: int) -> int:
    """How many runs of the project have not ended, at most `most`. Until the transaction ends, nobody else counts them."""
    connection = session.connection()
    connection.execute(_LOCK, {"project": project_id}).one_or_none()
    return int(connection.execute(_COUNT_OPEN, {"project": project_id, "most": most}).scalar_one())
