"""Reads of flow runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import cache
from itertools import groupby, zip_longest
from operator import attrgetter
from typing import Any, TypeAlias, cast
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Integer, Select, bindparam, func, select, true, union_all
from sqlalchemy.orm import Session

from appliance.protocol.run_filter import RunFilter
from appliance.server.db.conditions import LIVE_NOW
from appliance.server.db.prepared import Prepared
from appliance.server.db.reads import readable, run_filters
from appliance.server.db.reads.among import OfMany
from appliance.server.db.reads.run_filters import default_condition
from appliance.server.db.rows.concurrency import AttemptState
from appliance.server.db.rows.flow_runs import FlowRunRow, HeldRun, RunSummary, RunToken, StripRun
from appliance.server.db.tables import metadata
from appliance.server.db.tables.columns import Id
from appliance.server.domain import run_query
from appliance.server.domain.deploys import waits_for_code

_run = metadata.tables["flow_run"]
_flow = metadata.tables["flow"]
_project = metadata.tables["project"]
STRIP_COLUMNS = tuple(_run.c[name] for name in StripRun.__annotations__)
"""The columns that a mark in a strip of runs needs; half of the cost of a run is creating Python's values."""
SUMMARY_COLUMNS = tuple(_run.c[name] for name in RunSummary.__annotations__)
LIST_COLUMNS = (*SUMMARY_COLUMNS, *(_run.c[name] for name in FlowRunRow.__annotations__))
"""The columns that lists need."""

_Columns: TypeAlias = tuple[ColumnElement[Any], ...]
_UNION = 64  # parts of one statement; SQLite takes at most 500
_NO_FLOW = UUID(int=0)
_OF_IDS = OfMany(lambda among: select(*LIST_COLUMNS).where(among(_run.c.id)))
_FIRST_PLANNED = (
    select(_run.c.id)
    .where(_run.c.flow_id == _flow.c.id, _run.c.state_type == "SCHEDULED", _run.c.scheduled_time >= bindparam("now"))
    .where(_run.c.attempt == 0)  # a run that waits for a later attempt has started before
    .order_by(_run.c.scheduled_time, _run.c.id)
    .limit(1)
    .correlate(_flow)
    .scalar_subquery()
)
_NEXT = OfMany(lambda among: _runs_of(select(_FIRST_PLANNED.label("id")).where(among(_flow.c.id)).subquery()))
_LAST_SUCCESS = (
    select(_run.c.end_time)
    .where(_run.c.flow_id == _flow.c.id, _run.c.state_type == "SUCCESS", _run.c.end_time.is_not(None))
    .order_by(_run.c.scheduled_time.desc(), _run.c.id.desc())  # only the index of a flow's runs has this order
    .limit(1)
    .scalar_subquery()
)
_LAST_SUCCESSES = OfMany(lambda among: select(_flow.c.id, _LAST_SUCCESS).where(among(_flow.c.id)))
_LIVE_AGENTS = Prepared(select(_run.c.agent_id, func.count()).where(LIVE_NOW).group_by(_run.c.agent_id))
_OPEN_BY_VERSION = Prepared(
    select(_run.c.flow_version_id, func.count())
    .where(_run.c.flow_id == bindparam("flow"), _run.c.end_time.is_(None))
    .group_by(_run.c.flow_version_id)
)
_ONE = select(*LIST_COLUMNS).where(_run.c.id == bindparam("run"))
_TOKEN = Prepared(
    select(_run.c.run_token_hash, _run.c.attempt, _run.c.state_type, _run.c.state_at).where(
        _run.c.id == bindparam("run")
    )
)


def count_all(session: Session, criteria: RunFilter, now: datetime) -> int:
    """How many runs match, without a cap."""
    criteria = run_query.expanded(criteria, now)
    inner = select(_run.c.id).where(*run_filters.every(session, criteria, now)).subquery()
    return session.execute(select(func.count()).select_from(inner)).scalar_one()


def next_ids(
    session: Session, criteria: RunFilter, now: datetime, after: UUID | None, created_until: datetime, limit: int
) -> list[UUID]:
    """The next matching runs in the order of their ids, of those that existed at a time, which lengths of time in a query are counted from."""
    criteria = run_query.expanded(criteria, created_until)
    query = select(_run.c.id).where(*run_filters.every(session, criteria, now), _run.c.created <= created_until)
    if after is not None:
        query = query.where(_run.c.id > after)
    return readable.scalars(session, query.order_by(_run.c.id).limit(limit))


def by_ids(session: Session, ids: Collection[UUID]) -> Sequence[FlowRunRow]:
    return cast(Sequence[FlowRunRow], _OF_IDS.every(session, ids))


def get(session: Session, run_id: UUID) -> FlowRunRow | None:
    return cast(FlowRunRow | None, session.connection().execute(_ONE, {"run": run_id}).one_or_none())


def token_of(session: Session, run_id: UUID) -> RunToken | None:
    """The hash that a run's token is checked against, with the state of the run."""
    return cast(RunToken | None, _TOKEN.one_or_none(session, {"run": run_id}))


def id_of_key(session: Session, flow_id: UUID, key: str) -> UUID | None:
    """The flow's run that was created under this idempotency key."""
    query = select(_run.c.id).where(_run.c.flow_id == flow_id, _run.c.idempotency_key == key)
    run_id: UUID | None = session.execute(query).scalar()
    return run_id


def attempt_state(session: Session, run_id: UUID) -> AttemptState | None:
    """The number and the state of the run's newest attempt."""
    query = select(_run.c.state_type, _run.c.state_name, _run.c.attempt).where(_run.c.id == run_id)
    return cast(AttemptState | None, session.execute(query).one_or_none())


def recent_of_flows(
    session: Session, flow_ids: Collection[UUID], per_flow: int, now: datetime
) -> dict[UUID, list[FlowRunRow]]:
    """The newest runs of each flow, without future ones. Reads a short index range per flow; a window function would read every run."""
    return _recent_rows(session, flow_ids, LIST_COLUMNS, {"each": per_flow, "now": now})


def recent_summaries_of_flows(
    session: Session, flow_ids: Collection[UUID], per_flow: int, now: datetime
) -> dict[UUID, list[RunSummary]]:
    """The same, but only what a brief line about a run shows."""
    return _recent_rows(session, flow_ids, SUMMARY_COLUMNS, {"each": per_flow, "now": now})


def strips_of_flows(
    session: Session, flow_ids: Collection[UUID], per_flow: int, now: datetime
) -> dict[UUID, list[StripRun]]:
    """The same, but only what a mark in a strip of runs shows."""
    return _recent_rows(session, flow_ids, STRIP_COLUMNS, {"each": per_flow, "now": now})


def _recent_rows(
    session: Session, flow_ids: Collection[UUID], columns: _Columns, values: dict[str, Any]
) -> dict[UUID, list[Any]]:
    if session.get_bind().dialect.name == "sqlite":
        rows, flows = [], list(flow_ids)
        for start in range(0, len(flows), _UNION):
            chunk = flows[start : start + _UNION]
            number = 1 << (len(chunk) - 1).bit_length()
            chosen = zip_longest(range(number), chunk, fillvalue=_NO_FLOW)
            parts = {f"flow_{place}": flow_id for place, flow_id in chosen}
            rows += readable.every(session, _recent_of(number, columns), values | parts)
    else:
        rows = _recent_of_each(columns).every(session, flow_ids, values)
    runs: dict[UUID, list[Any]] = {}
    for _, some in groupby(rows, attrgetter("flow_id.int")):  # two UUIDs are compared by a function of Python's
        each = list(some)
        runs.setdefault(each[0].flow_id, []).extend(each)
    for of_flow in runs.values():
        of_flow.sort(key=attrgetter("scheduled_time", "id"), reverse=True)
    return runs


@cache
def _recent_of(flows: int, columns: _Columns) -> Prepared:
    """The newest :each runs of :flow_0, :flow_1 ..., for SQLite."""
    newest = [_newest(bindparam(f"flow_{place}", type_=Id()), columns).subquery() for place in range(flows)]
    return Prepared(union_all(*(select(*runs.c) for runs in newest)))


@cache
def _recent_of_each(columns: _Columns) -> OfMany:
    """The newest :each runs of each of many flows, for Postgres."""
    runs = _newest(_flow.c.id, columns).correlate(_flow).lateral()
    return OfMany(lambda among: select(*runs.c).select_from(_flow).join(runs, true()).where(among(_flow.c.id)))


def _newest(flow: ColumnElement[UUID], columns: _Columns) -> Select[Any]:
    runs = select(*columns).where(_run.c.flow_id == flow, default_condition(bindparam("now")))
    runs = runs.order_by(_run.c.scheduled_time.desc(), _run.c.id.desc())
    return runs.limit(bindparam("each", type_=Integer))


def _runs_of(ids: FromClause) -> Select[Any]:
    return select(*LIST_COLUMNS).join(ids, ids.c.id == _run.c.id)


def next_of_flows(session: Session, flow_ids: Collection[UUID], now: datetime) -> Sequence[FlowRunRow]:
    """The next scheduled run of each flow: the first entry of a short index range."""
    return cast(Sequence[FlowRunRow], _NEXT.every(session, flow_ids, {"now": now}))


def last_successes(session: Session, flow_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """When each flow last succeeded; reads a short index range per flow."""
    rows = _LAST_SUCCESSES.every(session, flow_ids)
    return {flow_id: ended for flow_id, ended in rows if ended is not None}


def live_counts_of_agents(session: Session, agent_ids: Collection[UUID]) -> dict[UUID, int]:
    """How many runs each agent has now. Reads all live runs: with a condition on agents, SQLite would read all their ended runs."""
    ids = set(agent_ids)
    return {agent_id: number for agent_id, number in readable.every(session, _LIVE_AGENTS) if agent_id in ids}


def open_counts_by_version(session: Session, flow_id: UUID) -> dict[UUID, int]:
    """How many runs of each version of a flow have not ended; versions without any are left out."""
    return {version_id: number for version_id, number in readable.every(session, _OPEN_BY_VERSION, {"flow": flow_id})}


def counts_by_type(session: Session) -> dict[str, int]:
    """How many runs there are of each state type; reads one index."""
    query = select(_run.c.state_type, func.count()).group_by(_run.c.state_type)
    return {state_type: number for state_type, number in readable.every(session, query)}


def of_attempts(session: Session, attempts: list[tuple[UUID, int]]) -> dict[UUID, HeldRun]:
    """The runs that an agent reports, by id."""
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
    result = readable.every(session, select(*columns).where(_run.c.id.in_([run for run, _ in attempts])))
    return {row.id: row for row in cast(Iterable[HeldRun], result)}


def behind(session: Session, flow_id: UUID, version_id: UUID, limit: int) -> list[UUID]:
    """Runs of the flow's schedules that have not begun and are of another version, the first due first."""
    statement = select(_run.c.id).where(
        _run.c.flow_id == flow_id,
        _run.c.state_type.in_(("SCHEDULED", "PAUSED")),
        _run.c.attempt == 0,
        _run.c.schedule_id.is_not(None),
        _run.c.flow_version_id != version_id,
    )
    return readable.scalars(session, statement.order_by(_run.c.scheduled_time, _run.c.id).limit(limit))


def without_code(session: Session, flow_id: UUID) -> list[UUID]:
    """Runs of the flow that wait for their code."""
    statement = select(_run.c.id, _run.c.state_data).where(_run.c.flow_id == flow_id, _run.c.state_type == "PAUSED")
    return [run_id for run_id, data in readable.every(session, statement) if waits_for_code(data)]
