"""Handing due runs to agents. All conditions are decided by the database, so that runs which can't start hide no others.

Order: priority, then the projects in turn (one with many runs at work stands back), then due time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Select, TextClause, false, func, literal, select, text, update
from sqlalchemy.orm import Session

from appliance.server.db.reads import hold, maintenance, settings
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.tables.flows import Flow
from appliance.server.db.tables.projects import Project
from appliance.server.db.tables.schedules import Schedule
from appliance.server.db.writes.flow_runs import LIVE_NOW, SCHEDULED_NOW
from appliance.server.domain.concurrency import FLOW, LABEL, Ledger

_runs = FlowRun.__table__  # type: ignore[attr-defined]
_flows = Flow.__table__  # type: ignore[attr-defined]
_projects = Project.__table__  # type: ignore[attr-defined]
_schedules = Schedule.__table__  # type: ignore[attr-defined]
_MOST_ROUNDS = 50
_SPARE = 100
"""So many more are looked at than wanted, since on Postgres others may just be taking the first ones."""

_SERVED = {
    "sqlite": text(
        "not exists (select 1 from json_each(flow_run.labels) as wanted"
        " where wanted.value not in (select value from json_each(:agent_labels)))"
    ),
    "postgresql": text("flow_run.labels <@ cast(:agent_labels as jsonb)"),
}
"""A run's labels must be a subset of the agent's."""

_HAS_FREE_LABELS = {
    "sqlite": text(
        "not exists (select 1 from json_each(flow_run.labels) as own"
        " where own.value in (select value from json_each(:full_labels)))"
    ),
    "postgresql": text(
        "not exists (select 1 from jsonb_array_elements_text(flow_run.labels) as own"
        " where cast(:full_labels as jsonb) @> to_jsonb(own))"
    ),
}

_NOT_OVERLAPPING = text(
    "not exists (select 1 from schedule join flow_run as other on other.schedule_id = schedule.id"
    " where schedule.id = flow_run.schedule_id and schedule.overlap <> 'allow' and other.id <> flow_run.id"
    " and (other.state_type in ('PENDING', 'RUNNING', 'CANCELLING')"
    " or (other.state_type = 'SCHEDULED' and other.due_at < flow_run.due_at)))"
)
"""Unless its schedule lets runs overlap, a run waits for the one before it."""

_CHOSEN = (_runs.c.id, _runs.c.flow_id, _runs.c.labels, _runs.c.priority, _runs.c.scheduled_time, _flows.c.project_id)


def any_due(session: Session, labels: Sequence[str], now: datetime) -> bool:
    """Is there a run that an agent with these labels could have, limits and other runs permitting?"""
    statement = select(_runs.c.id).where(*_due(session, now)).limit(1)
    return session.execute(statement, {"agent_labels": as_json(labels)}).first() is not None


def claim(
    session: Session, agent_id: UUID, labels: Sequence[str], limit: int, now: datetime, lease: datetime
) -> list[Any]:
    """Give up to `limit` due runs to the agent, each as a new attempt: one statement, so no run is given twice."""
    ready = _ready(session, now).limit(limit + _SPARE).subquery("ready")
    chosen = (
        select(_runs.c.id)
        .join(ready, ready.c.id == _runs.c.id)
        .where(SCHEDULED_NOW)
        .order_by(ready.c.priority.desc(), ready.c.place, ready.c.scheduled_time, ready.c.id)
        .limit(limit)
        .with_for_update(of=_runs, skip_locked=True)
        .cte("chosen")
        .prefix_with("MATERIALIZED")  # Postgres may otherwise run the choice twice and claim more than asked for
    )
    return _give(session, select(chosen.c.id), agent_id, now, lease, {"agent_labels": as_json(labels)})


def claim_within(
    session: Session,
    agent_id: UUID,
    labels: Sequence[str],
    limit: int,
    now: datetime,
    lease: datetime,
    ledger: Ledger,
) -> list[Any]:
    """The same under limits, which the caller holds, so that nobody else gives out slots: choose, count, and look again past
    those whose limit is exhausted."""
    taken: list[UUID] = []
    for _ in range(_MOST_ROUNDS):
        values = {"agent_labels": as_json(labels), "full_labels": as_json(ledger.exhausted(LABEL))}
        full_flows = [UUID(name) for name in ledger.exhausted(FLOW)]
        ready = _ready(session, now).where(
            _runs.c.flow_id.not_in(full_flows), _runs.c.id.not_in(taken), _HAS_FREE_LABELS[_dialect(session)]
        )
        found = session.connection().execute(ready.limit(limit - len(taken)), values).all()
        before = len(taken)
        taken += [row.id for row in found if ledger.take(row.flow_id, row.labels)]
        if len(taken) == limit or len(taken) - before == len(found):
            break
    if not taken:
        return []
    chosen = select(_runs.c.id).where(SCHEDULED_NOW, _runs.c.id.in_(taken))
    if _dialect(session) == "postgresql":
        chosen = select(chosen.with_for_update(skip_locked=True).cte("chosen").prefix_with("MATERIALIZED").c.id)
    return _give(session, chosen, agent_id, now, lease, {})


def live(session: Session) -> list[tuple[UUID, list[str]]]:
    """Flow and labels of every run that is being worked on."""
    return [
        (row.flow_id, row.labels) for row in session.execute(select(_runs.c.flow_id, _runs.c.labels).where(LIVE_NOW))
    ]


def overlapping(session: Session, now: datetime, limit: int) -> list[tuple[UUID, UUID, str, str]]:
    """Due runs whose schedule skips them or stops the older run: (run, the live run before it, that one's name, policy)."""
    older = _runs.alias("older")
    statement = (
        select(_runs.c.id, older.c.id, older.c.name, _schedules.c.overlap)
        .join(_schedules, _schedules.c.id == _runs.c.schedule_id)
        .join(older, older.c.schedule_id == _schedules.c.id)
        .where(
            SCHEDULED_NOW,
            _runs.c.scheduled_time <= now,
            _schedules.c.overlap.in_(("skip", "cancel")),
            text("older.state_type in ('PENDING', 'RUNNING')"),
        )
        .order_by(_runs.c.scheduled_time, _runs.c.id)
        .limit(limit)
    )
    return [tuple(row) for row in session.execute(statement)]


def as_json(labels: Sequence[str]) -> str:
    return msgspec.json.encode(sorted(set(labels))).decode()


def _due(session: Session, now: datetime) -> list[ColumnElement[bool] | TextClause]:
    """The conditions under which a run may be handed out, to an agent with :agent_labels."""
    kept = settings.several(session, (maintenance.NAME, hold.NAME))
    if maintenance.decoded(kept.get(maintenance.NAME), now) is not None:
        return [false()]
    held_until = hold.decoded(kept.get(hold.NAME))
    return [
        SCHEDULED_NOW,
        _runs.c.scheduled_time <= now,
        _runs.c.flow_id.in_(select(_flows.c.id).where(~_flows.c.paused, ~_flows.c.archived)),
        _SERVED[_dialect(session)],
        *(() if held_until is None else (_runs.c.scheduled_time > held_until,)),
    ]


def _ready(session: Session, now: datetime) -> Select[Any]:
    """Due runs, those first that are to be taken first."""
    query = select(*_CHOSEN).join(_flows, _flows.c.id == _runs.c.flow_id).where(*_due(session, now), _NOT_OVERLAPPING)
    own = (_runs.c.priority.desc(), _runs.c.scheduled_time, _runs.c.id)
    if not _several_projects(session):
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


def _several_projects(session: Session) -> bool:
    return len(session.execute(select(_projects.c.id).limit(2)).all()) > 1


def _give(
    session: Session, chosen: Select[Any], agent_id: UUID, now: datetime, lease: datetime, values: dict[str, Any]
) -> list[Any]:
    statement = (
        update(_runs)
        .where(_runs.c.id.in_(chosen))
        .values(
            state_type="PENDING",
            state_name="Submitted",
            state_message="",
            state_data=None,
            state_at=now,
            version=_runs.c.version + 1,
            attempt=_runs.c.attempt + 1,
            agent_id=agent_id,
            lease_expires_at=lease,
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
    claimed = session.connection().execute(statement, values).all()
    return sorted(claimed, key=lambda row: (-row.priority, row.scheduled_time, row.id))


def _dialect(session: Session) -> str:
    return str(session.get_bind().dialect.name)
