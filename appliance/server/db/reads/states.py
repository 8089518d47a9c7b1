"""Reads of a flow run's history."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.server.db.reads.pages import Rows
from appliance.server.db.tables import metadata

_state = metadata.tables["flow_run_state"]
MOST = 1_000


def of_flow_run(session: Session, flow_run_id: UUID) -> Rows:
    """Oldest first; a run that changed more than a thousand times shows its first thousand."""
    query = select(_state).where(_state.c.flow_run_id == flow_run_id).order_by(_state.c.version).limit(MOST)
    return session.execute(query).all()
