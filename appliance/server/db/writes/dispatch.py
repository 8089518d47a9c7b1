"""Handing due runs to agents. All conditions are decided by the database, so that runs which can't start hide no others.

Order: priority, then the projects in turn (one with many runs at work stands back), then due time. Building these statements costs
SQLAlchemy more than running them costs the database, so each is built once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, cast
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Integer, Select, TextClause, bindparam, func, literal, select, text, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from appliance.server.db.reads import hold, maintenance, settings
from appliance.server.db.rows.flow_runs import ClaimedRun
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.tables.flows import Flow
from appliance.server.db.tables.projects import Project
from appliance.server.db.tables.schedules import Schedule
from appliance.server.db.writes.flow_runs import LIVE_NOW, SCHEDULED_NOW
from appliance.server.domain.concurrency import FLOW, LABEL, Ledger

_runs = table(FlowRun)
_flows = table(Flow)
_projects = table(Project)
_schedules = table(Schedule)
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

_TWO_PROJECTS = select(_projects.c.id).limit(2)
_CHOSEN = (_runs.c.id, _runs.c.flow_id, _runs.c.labels, _runs.c.priority, _runs.c.scheduled_time, _flows.c.project_id)


@dataclass(frozen=True)
class _Form:
    """What the text of the statements depends on."""

    dialect: str
    held: bool
    """Runs that were due up to :held_until are held."""
    several_projects: bool = False


def any_due(session: Session, labels: Sequence[str], now: datetime) -> bool:
    """Is there a run that an agent with these labels could have, limits and other runs permitting?"""
    values = _values(session, labels, now)
    if values is None:
        return False
    form = _Form(_dialect(session), values["held_until"] is not None)
    return session.connection().execute(_any_due(form), values).first() is not None


def claim(
    session: Session, agent_id: UUID, labels: Sequence[str], limit: int, now: datetime, lease: datetime
) -> list[ClaimedRun]:
    """Give up to `limit` due runs to the agent, each as a new attempt: one statement, so no run is given twice."""
    values = _values(session, labels, now)
    if values is None:
        return []
    given = {"agent": agent_id, "lease": lease, "most": limit, "looked_at": limit + _SPARE}
    return _given(session, _claim(_form(session, values)), values | given)


def claim_within(
    session: Session,
    agent_id: UUID,
    labels: Sequence[str],
    limit: int,
    now: datetime,
    lease: datetime,
    ledger: Ledger,
) -> list[ClaimedRun]:
    """The same under limits, which the caller holds, so that nobody else gives out slots: choose, count, and look again past
    those whose limit is exhausted."""
    taken: list[UUID] = []
    values = _values(session, labels, now)
    for _ in range(_MOST_ROUNDS if values is not None else 0):
        assert values is not None
        ready = _ready(_form(session, values)).where(
            _runs.c.flow_id.not_in([UUID(name) for name in ledger.exhausted(FLOW)]),
            _runs.c.id.not_in(taken),
            _HAS_FREE_LABELS[_dialect(session)],
        )
        full = {"full_labels": as_json(ledger.exhausted(LABEL)), "looked_at": limit - len(taken)}
        found = session.connection().execute(ready, values | full).all()
        before = len(taken)
        taken += [row.id for row in found if ledger.take(row.flow_id, row.labels)]
        if len(taken) == limit or len(taken) - before == len(found):
            break
    if not taken:
        return []
    chosen = select(_runs.c.id).where(SCHEDULED_NOW, _runs.c.id.in_(taken))
    if _dialect(session) == "postgresql":
        chosen = select(chosen.with_for_update(skip_locked=True).cte("chosen").prefix_with("MATERIALIZED").c.id)
    return _given(session, _give(chosen), {"agent": agent_id, "now": now, "lease": lease})


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


def _values(session: Session, labels: Sequence[str], now: datetime) -> dict[str, Any] | None:
    """The values that the conditions of handing out ask for; None when nothing may be handed out."""
    kept = settings.several(session, (maintenance.NAME, hold.NAME))
    if maintenance.decoded(kept.get(maintenance.NAME), now) is not None:
        return None
    return {"now": now, "agent_labels": as_json(labels), "held_until": hold.decoded(kept.get(hold.NAME))}


def _form(session: Session, values: dict[str, Any]) -> _Form:
    return _Form(_dialect(session), values["held_until"] is not None, _several_projects(session))


@cache
def _any_due(form: _Form) -> Select[Any]:
    return select(_runs.c.id).where(*_due(form)).limit(1)


@cache
def _claim(form: _Form) -> ReturningUpdate[Any]:
    ready = _ready(form).subquery("ready")
    chosen = (
        select(_runs.c.id)
        .join(ready, ready.c.id == _runs.c.id)
        .where(SCHEDULED_NOW)
        .order_by(ready.c.priority.desc(), ready.c.place, ready.c.scheduled_time, ready.c.id)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(of=_runs, skip_locked=True)
        .cte("chosen")
        .prefix_with("MATERIALIZED")  # Postgres may otherwise run the choice twice and claim more than asked for
    )
    return _give(select(chosen.c.id))


def _due(form: _Form) -> list[ColumnElement[bool] | TextClause]:
    """The conditions under which a run may be handed out, to an agent with :agent_labels."""
    return [
        SCHEDULED_NOW,
        _runs.c.scheduled_time <= bindparam("now"),
        _runs.c.flow_id.in_(select(_flows.c.id).where(~_flows.c.paused, ~_flows.c.archived)),
        _SERVED[form.dialect],
        *((_runs.c.scheduled_time > bindparam("held_until"),) if form.held else ()),
    ]


@cache
def _ready(form: _Form) -> Select[Any]:
    """Due runs, :looked_at of them, those first that are to be taken first."""
    query = select(*_CHOSEN).join(_flows, _flows.c.id == _runs.c.flow_id).where(*_due(form), _NOT_OVERLAPPING)
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


def _several_projects(session: Session) -> bool:
    return len(session.connection().execute(_TWO_PROJECTS).all()) > 1


def _give(chosen: Select[Any]) -> ReturningUpdate[Any]:
    """Make the chosen runs attempts of :agent."""
    return (
        update(_runs)
        .where(_runs.c.id.in_(chosen))
        .values(
            state_type="PENDING",
            state_name="Submitted",
            state_message="",
            state_data=None,
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


def _given(session: Session, statement: ReturningUpdate[Any], values: dict[str, Any]) -> list[ClaimedRun]:
    claimed = cast(list[ClaimedRun], session.connection().execute(statement, values).all())
    return sorted(claimed, key=lambda row: (-row.priority, row.scheduled_time, row.id))


def _dialect(session: Session) -> str:
    return str(session.connection().dialect.name)
