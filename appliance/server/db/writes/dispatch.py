"""Handing due runs to agents. The database decides all conditions, so that runs which can't start hide no others.

Order: priority, then the projects in turn (those with many active runs come later), then due time. Building these statements takes
longer than running them, so each is built once.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Integer, Select, bindparam, func, literal, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from appliance.server.db.conditions import LIVE_NOW, MAY_BE_CLAIMED
from appliance.server.db.reads import readable
from appliance.server.db.reads.dispatch import (
    HAS_FREE_LABELS,
    NOT_OVERLAPPING,
    Form,
    Taker,
    as_json,
    bound_values,
    dialect,
    due_conditions,
    form_of,
)
from appliance.server.db.rows.flow_runs import ClaimedRun
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.tables.flows import Flow
from appliance.server.domain.concurrency import FLOW, LABEL, Ledger
from appliance.server.domain.transitions import CLAIM

_runs = table(FlowRun)
_flows = table(Flow)
_MOST_ROUNDS = 50
_SPARE = 100
"""How many more runs to consider than are needed: on Postgres, others may be taking the first ones right now."""
_CHOSEN = (_runs.c.id, _runs.c.flow_id, _runs.c.labels, _runs.c.priority, _runs.c.scheduled_time, _flows.c.project_id)


def claim(
    session: Session, agent_id: UUID, taker: Taker, limit: int, now: datetime, lease: datetime
) -> list[ClaimedRun]:
    """Hand up to `limit` due runs to the agent, each as a new attempt: one statement, so that no run is handed out twice."""
    values = bound_values(session, taker, now)
    if values is None:
        return []
    chosen = {"most": limit, "looked_at": limit + _SPARE}
    parameters = {**values, **chosen, "agent": agent_id, "lease": lease, "origin": taker.origin}
    return _claimed_rows(session, _claim(form_of(session, values)), parameters)


def claim_within(
    session: Session,
    agent_id: UUID,
    taker: Taker,
    limit: int,
    now: datetime,
    lease: datetime,
    ledger: Ledger,
) -> list[ClaimedRun]:
    """The same under limits, which the caller has locked, so that no one else grants slots: choose, count, and look further
    past the runs whose limit is exhausted."""
    taken: list[UUID] = []
    values = bound_values(session, taker, now)
    for _ in range(_MOST_ROUNDS if values is not None else 0):
        assert values is not None
        ready = _ready(form_of(session, values)).where(
            _runs.c.flow_id.not_in([UUID(name) for name in ledger.exhausted(FLOW)]),
            _runs.c.id.not_in(taken),
            HAS_FREE_LABELS[dialect(session)],
        )
        full = {"full_labels": as_json(ledger.exhausted(LABEL)), "looked_at": limit - len(taken)}
        candidates = readable.every(session, ready, values | full)
        before = len(taken)
        taken += [row.id for row in candidates if ledger.take(row.flow_id, row.labels)]
        if len(taken) == limit or len(taken) - before == len(candidates):
            break
    if not taken:
        return []
    chosen = select(_runs.c.id).where(MAY_BE_CLAIMED, _runs.c.id.in_(taken))
    if dialect(session) == "postgresql":
        chosen = select(chosen.with_for_update(skip_locked=True).cte("chosen").prefix_with("MATERIALIZED").c.id)
    parameters = {"agent": agent_id, "now": now, "lease": lease, "origin": taker.origin}
    return _claimed_rows(session, _give(chosen), parameters)


@cache
def _claim(form: Form) -> ReturningUpdate[Any]:
    ready = _ready(form).subquery("ready")
    chosen = (
        select(_runs.c.id)
        .join(ready, ready.c.id == _runs.c.id)
        .where(MAY_BE_CLAIMED)
        .order_by(ready.c.priority.desc(), ready.c.place, ready.c.scheduled_time, ready.c.id)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(of=_runs, skip_locked=True)
        .cte("chosen")
        .prefix_with("MATERIALIZED")  # otherwise Postgres may run the subquery twice and claim too many
    )
    return _give(select(chosen.c.id))


@cache
def _ready(form: Form) -> Select[Any]:
    """The first :looked_at due runs, in the order in which they are handed out."""
    query = select(*_CHOSEN).join(_flows, _flows.c.id == _runs.c.flow_id).where(*due_conditions(form), NOT_OVERLAPPING)
    query = query.limit(bindparam("looked_at", type_=Integer))
    own = (_runs.c.priority.desc(), _runs.c.scheduled_time, _runs.c.id)
    if not form.several_projects:
        return query.add_columns(literal(0).label("place")).order_by(*own)
    busy = (
        select(_flows.c.project_id, func.count().label("runs"))
        .select_from(_runs.join(_flows, _flows.c.id == _runs.c.flow_id))
        .where(LIVE_NOW)
        .group_by(_flows.c.project_id)
        .subquery("busy")
    )
    turn = func.row_number().over(partition_by=(_flows.c.project_id, _runs.c.priority), order_by=own)
    place = (turn + func.coalesce(busy.c.runs, 0)).label("place")
    return (
        query.outerjoin(busy, busy.c.project_id == _flows.c.project_id)
        .add_columns(place)
        .order_by(_runs.c.priority.desc(), place, _runs.c.scheduled_time, _runs.c.id)
    )


def _give(chosen: Select[Any]) -> ReturningUpdate[Any]:
    """Turn the chosen runs into attempts of :agent."""
    return (
        update(_runs)
        .where(_runs.c.id.in_(chosen))
        .values(
            state_type=CLAIM.type,
            state_name=CLAIM.name,
            state_message="",
            state_data=bindparam("origin"),
            state_at=bindparam("now"),
            version=_runs.c.version + 1,
            attempt=_runs.c.attempt + 1,
            agent_id=bindparam("agent"),
            lease_expires_at=bindparam("lease"),
            last_seq=0,
            cancel_requested=False,
            start_time=None,
            end_time=None,
        )
        .returning(
            _runs.c.id,
            _runs.c.attempt,
            _runs.c.version,
            _runs.c.name,
            _runs.c.priority,
            _runs.c.scheduled_time,
            _runs.c.flow_version_id,
            _runs.c.run_config,
        )
    )


def _claimed_rows(session: Session, statement: ReturningUpdate[Any], parameters: dict[str, Any]) -> list[ClaimedRun]:
    claimed = cast(list[ClaimedRun], readable.changed(session, statement, parameters))
    return sorted(claimed, key=lambda row: (-row.priority, row.scheduled_time, row.id))
