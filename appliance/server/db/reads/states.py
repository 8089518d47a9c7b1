"""Reads of a flow run's history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.server.db.rows.states import StateRow
from appliance.server.db.tables import metadata

_state = metadata.tables["flow_run_state"]
MOST = 1_000


def of_flow_run(session: Session, flow_run_id: UUID) -> Sequence[StateRow]:
    """A run's states, oldest first; at most a thousand."""
    query = select(_state).where(_state.c.flow_run_id == flow_run_id).order_by(_state.c.version).limit(MOST)
    return cast(Sequence[StateRow], session.execute(query).all())
