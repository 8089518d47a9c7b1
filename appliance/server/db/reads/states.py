"""Reads of a flow run's history."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.kit.documents import JsonDocument
from appliance.server.db.reads import readable
from appliance.server.db.reads.pages import RowPage, number, read
from appliance.server.db.rows.states import StateRow
from appliance.server.db.tables import metadata
from appliance.server.domain.transitions import CLAIM

_state = metadata.tables["flow_run_state"]
MOST = 1_000


def of_flow_run(session: Session, flow_run_id: UUID) -> Sequence[StateRow]:
    """A run's states, oldest first; at most a thousand."""
    return page(session, flow_run_id, MOST, None).rows


def origins(session: Session, flow_run_id: UUID) -> dict[int, JsonDocument]:
    """By attempt, what the state with which an agent took it says of the agent. Agents of earlier releases say nothing."""
    query = select(_state.c.attempt, _state.c.data).where(
        _state.c.flow_run_id == flow_run_id, _state.c.type == CLAIM.type, _state.c.data.is_not(None)
    )
    return {row.attempt: row.data for row in readable.every(session, query) if row.data}


def page(session: Session, flow_run_id: UUID, limit: int, after: str | None) -> RowPage[StateRow]:
    """A run's states, oldest first."""
    query = select(_state).where(_state.c.flow_run_id == flow_run_id)
    if after is not None:
        query = query.where(_state.c.version > number(after))
    return read(session, query.order_by(_state.c.version), limit, lambda row: (row.version,))
