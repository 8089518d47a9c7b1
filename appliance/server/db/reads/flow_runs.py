"""Reads of flow runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, cast
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, Integer, Row, Select, bindparam, func, or_, select, union_all
from sqlalchemy.orm import Session

from appliance.protocol.run_filter import RunFilter
from appliance.server.db.conditions import LIVE_NOW
from appliance.server.db.reads.pages import like
from appliance.server.db.rows.concurrency import AttemptState
from appliance.server.db.rows.flow_runs import FlowRunRow, HeldRun, RunSummary, RunToken
from appliance.server.db.tables import metadata

_run = metadata.tables["flow_run"]
_flow = metadata.tables["flow"]
_project = metadata.tables["project"]
_HEAVY = {"context", "run_config", "run_token_hash"}
SHOWN = [column for column in _run.c if column.name not in _HEAVY]
"""All that lists show of a run."""
BRIEF = [
    _run.c[name]
    for name in (
        "id", "flow_id", "name", "attempt", "scheduled_time", "start_time", "end_time",
        "state_type", "state_name", "state_message", "state_data", "state_at", "version",
    )
]  # fmt: skip
"""What a mark in a strip of runs shows of one; half of what a run costs is the making of Python's values."""

_UNION = 50  # parts of one statement; SQLite takes at most 500


_ONE = select(*SHOWN).where(_run.c.id == bindparam("run"))
_TOKEN = select(_run.c.run_token_hash, _run.c.attempt, _run.c.state_type, _run.c.state_at).where(
    _run.c.id == bindparam("run")
)


def count_all(session: Session, wanted: RunFilter, now: datetime) -> int:
    """How many runs match, all of them."""
    inner = _filtered(select(_run.c.id), wanted, now).subquery()
    return session.execute(select(func.count()).select_from(inner)).scalar_one()


def next_ids(
    session: Session, wanted: RunFilter, now: datetime, after: UUID | None, created_until: datetime, limit: int
) -> list[UUID]:
    """The next runs that match, in the order of their ids, of those that existed at a time."""
    query = _filtered(select(_run.c.id), wanted, now).where(_run.c.created <= created_until)
    if after is not None:
        query = query.where(_run.c.id > after)
    return list(session.execute(query.order_by(_run.c.id).limit(limit)).scalars())


def by_ids(session: Session, ids: Collection[UUID]) -> Sequence[FlowRunRow]:
    return cast(Sequence[FlowRunRow], session.execute(select(*SHOWN).where(_run.c.id.in_(ids))).all())


def get(session: Session, run_id: UUID) -> FlowRunRow | None:
    return cast(FlowRunRow | None, session.connection().execute(_ONE, {"run": run_id}).one_or_none())


def token_of(session: Session, run_id: UUID) -> RunToken | None:
    """What a run token is checked against."""
    return cast(RunToken | None, session.connection().execute(_TOKEN, {"run": run_id}).one_or_none())


def id_of_key(session: Session, flow_id: UUID, key: str) -> UUID | None:
    """The flow's run that was created under this idempotency key."""
    query = select(_run.c.id).where(_run.c.flow_id == flow_id, _run.c.idempotency_key == key)
    run_id: UUID | None = session.execute(query).scalar()
    return run_id


def attempt_state(session: Session, run_id: UUID) -> AttemptState | None:
    """Which attempt of the run is its newest, and how far that is."""
    query = select(_run.c.state_type, _run.c.state_name, _run.c.attempt).where(_run.c.id == run_id)
    return cast(AttemptState | None, session.execute(query).one_or_none())


def recent_of_flows(session: Session, flow_ids: Collection[UUID], per_flow: int, now: datetime) -> Sequence[FlowRunRow]:
    """The newest runs of each flow, without future ones. A short index range per flow: a window function would read them all."""
    return cast(Sequence[FlowRunRow], _recent_rows(session, flow_ids, per_flow, now, brief=False))


def recent_summaries_of_flows(
    session: Session, flow_ids: Collection[UUID], per_flow: int, now: datetime
) -> Sequence[RunSummary]:
    """The same, but only what a mark in a strip of runs shows."""
    return cast(Sequence[RunSummary], _recent_rows(session, flow_ids, per_flow, now, brief=True))


def _recent_rows(
    session: Session, flow_ids: Collection[UUID], per_flow: int, now: datetime, *, brief: bool
) -> list[Row[Any]]:
    rows: list[Row[Any]] = []
    flows = list(flow_ids)
    for start in range(0, len(flows), _UNION):
        chunk = flows[start : start + _UNION]
        values = {f"flow_{place}": flow_id for place, flow_id in enumerate(chunk)}
        rows.extend(session.execute(_recent(len(chunk), brief), values | {"now": now, "each": per_flow}))
    return rows


@cache
def _recent(flows: int, brief: bool) -> Select[Any]:
    """The newest :each runs of :flow_0, :flow_1 ...; building this costs as much as running it."""
    newest = [
        select(
            select(_run.c.id)
            .where(_run.c.flow_id == bindparam(f"flow_{place}"), shown_by_default(bindparam("now")))
            .order_by(_run.c.scheduled_time.desc(), _run.c.id.desc())
            .limit(bindparam("each", type_=Integer))
            .subquery()
        )
        for place in range(flows)
    ]
    chosen = union_all(*newest).subquery()
    query = select(*(BRIEF if brief else SHOWN)).join(chosen, chosen.c.id == _run.c.id)
    return query.order_by(_run.c.scheduled_time.desc(), _run.c.id.desc())


def next_of_flows(session: Session, flow_ids: Collection[UUID], now: datetime) -> Sequence[FlowRunRow]:
    """The next scheduled run of each flow: the first of one short index range each."""
    if not flow_ids:
        return []
    first = (
        select(_run.c.id)
        .where(_run.c.flow_id == _flow.c.id, _run.c.state_type == "SCHEDULED", _run.c.scheduled_time >= now)
        .where(_run.c.attempt == 0)  # what waits for a later attempt has begun long ago
        .order_by(_run.c.scheduled_time, _run.c.id)
        .limit(1)
        .correlate(_flow)
        .scalar_subquery()
    )
    nexts = select(first.label("id")).where(_flow.c.id.in_(flow_ids)).subquery()
    statement = select(*SHOWN).join(nexts, nexts.c.id == _run.c.id)
    return cast(Sequence[FlowRunRow], session.execute(statement).all())


def last_successes(session: Session, flow_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """When each flow last succeeded: one short index range each."""
    newest = (
        select(_run.c.end_time)
        .where(_run.c.flow_id == _flow.c.id, _run.c.state_type == "SUCCESS", _run.c.end_time.is_not(None))
        .order_by(_run.c.scheduled_time.desc(), _run.c.id.desc())  # only the index of the flow's runs has this order
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(select(_flow.c.id, newest).where(_flow.c.id.in_(flow_ids)))
    return {flow_id: ended for flow_id, ended in rows if ended is not None}


def live_counts_of_agents(session: Session, agent_ids: Collection[UUID]) -> dict[UUID, int]:
    """How many runs each agent holds now. All live runs are read: asked for its agents, SQLite would read all their ended runs."""
    found = Counter(session.execute(select(_run.c.agent_id).where(LIVE_NOW)).scalars())
    return {agent_id: found[agent_id] for agent_id in agent_ids if agent_id in found}


def scheduled_times(session: Session, ids: Collection[UUID]) -> dict[UUID, datetime]:
    """When each run was due."""
    query = select(_run.c.id, _run.c.scheduled_time).where(_run.c.id.in_(ids))
    return {run_id: due for run_id, due in session.execute(query)}


def counts_by_type(session: Session) -> dict[str, int]:
    """How many runs there are in each state type; reads one index."""
    query = select(_run.c.state_type, func.count()).group_by(_run.c.state_type)
    return {state_type: number for state_type, number in session.execute(query)}


def _filtered(query: Select[Any], wanted: RunFilter, now: datetime) -> Select[Any]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.state_types:
        conditions.append(_run.c.state_type.in_(wanted.state_types))
    if wanted.state_names:
        conditions.append(_run.c.state_name.in_(wanted.state_names))
    if not (wanted.include_future or wanted.state_types or wanted.state_names):
        conditions.append(shown_by_default(now))
    if wanted.flow_id is not None:
        conditions.append(_run.c.flow_id == wanted.flow_id)
    if wanted.since is not None:
        conditions.append(_run.c.scheduled_time >= wanted.since)
    if wanted.until is not None:
        conditions.append(_run.c.scheduled_time < wanted.until)
    if wanted.flow is not None or wanted.project is not None:
        conditions.append(_run.c.flow_id.in_(flows_named(wanted)))
    if wanted.text:
        flows = select(_flow.c.id).where(_flow.c.name.ilike(like(wanted.text), escape="\\"))
        conditions.append(or_(_run.c.name.ilike(like(wanted.text), escape="\\"), _run.c.flow_id.in_(flows)))
    return query.where(*conditions)


def flows_named(wanted: RunFilter) -> Select[Any]:
    """The ids of the flows that the filter names, or whose project it names."""
    flows = select(_flow.c.id)
    if wanted.flow is not None:
        flows = flows.where(_flow.c.name == wanted.flow)
    if wanted.project is not None:
        flows = flows.join(_project, _project.c.id == _flow.c.project_id).where(_project.c.name == wanted.project)
    return flows


def shown_by_default(now: datetime | BindParameter[Any]) -> ColumnElement[bool]:
    """What is not merely planned for later."""
    return or_(_run.c.state_type != "SCHEDULED", _run.c.scheduled_time <= now, _run.c.attempt > 0)


def of_attempts(session: Session, attempts: list[tuple[UUID, int]]) -> dict[UUID, HeldRun]:
    """The runs that an agent says it holds, by id."""
    if not attempts:
        return {}
    columns = (
        _run.c.id,
        _run.c.attempt,
        _run.c.agent_id,
        _run.c.state_type,
        _run.c.state_name,
        _run.c.state_message,
    )
    result = session.connection().execute(select(*columns).where(_run.c.id.in_([run for run, _ in attempts])))
    return {row.id: row for row in cast(Iterable[HeldRun], result)}
