"""Reads of schedules."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, and_, bindparam, func, select, text, tuple_
from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.kit.documents import JsonDocument
from appliance.protocol.run_filter import RunFilter
from appliance.server.db.conditions import ONLY_PLANNED, SCHEDULED_NOW
from appliance.server.db.reads import readable, run_filters
from appliance.server.db.reads.among import OfMany, among
from appliance.server.db.reads.pages import RowPage, only_id, read, text_key, unusable
from appliance.server.db.rows.schedules import LeftOut, ScheduleRow, ScheduleSummary, SkipRow
from appliance.server.db.tables import metadata
from appliance.server.db.tables.schedules import Schedule
from appliance.server.domain.scheduling import DELETED, SKIPPED

_schedule = metadata.tables["schedule"]
_skip = metadata.tables["schedule_skip"]
_flow = metadata.tables["flow"]
_run = metadata.tables["flow_run"]
MOST = 500


def _of_flows(*columns: Any) -> OfMany:
    return OfMany(
        lambda among: (
            select(*columns)
            .where(among(_schedule.c.flow_id))
            .order_by(_schedule.c.created, _schedule.c.id)
            .limit(bindparam("most", type_=Integer))
        )
    )


_OF_FLOWS = _of_flows(_schedule)
_SUMMARIES = _of_flows(*(_schedule.c[name] for name in ScheduleSummary.__annotations__))
ACTIVE = text("schedule.active")  # literal, so that the planner can use the partial index


def of_flows(session: Session, flow_ids: Collection[UUID]) -> Sequence[ScheduleRow]:
    return cast(Sequence[ScheduleRow], _OF_FLOWS.every(session, flow_ids, {"most": MOST * len(flow_ids)}))


def summaries_of_flows(session: Session, flow_ids: Collection[UUID]) -> Sequence[ScheduleSummary]:
    """The same, but only what a list of flows shows."""
    return cast(Sequence[ScheduleSummary], _SUMMARIES.every(session, flow_ids, {"most": MOST * len(flow_ids)}))


def page(
    session: Session, limit: int, after: str | None, runs: RunFilter | None = None, active: bool | None = None
) -> RowPage[ScheduleRow]:
    """Schedules, or those of the flows that a filter for runs names, oldest first: their ids grow with time."""
    query = select(_schedule)
    if active is not None:
        query = query.where(_schedule.c.active.is_(active))
    if runs is not None and runs.flow_id is not None:
        query = query.where(_schedule.c.flow_id == runs.flow_id)
    if runs is not None and run_filters.names_flows(runs):
        query = query.where(_schedule.c.flow_id.in_(run_filters.flows_named(session, runs)))
    if after is not None:
        query = query.where(_schedule.c.id > only_id(after))
    return read(session, query.order_by(_schedule.c.id), limit, lambda row: (row.id,))


def skips(session: Session, schedule_id: UUID, limit: int, after: str | None) -> RowPage[SkipRow]:
    """Due times of a schedule that got no run, newest first."""
    query = select(_skip).where(_skip.c.schedule_id == schedule_id)
    if after is not None:
        last, skip_id = text_key(after, 2)
        query = query.where(tuple_(_skip.c.last, _skip.c.id) < _skip_key(last, skip_id))
    query = query.order_by(_skip.c.last.desc(), _skip.c.id.desc())
    return read(session, query, limit, lambda row: (row.last, row.id))


def _skip_key(last: str, skip_id: str) -> tuple[datetime, int]:
    try:
        return clock.parse(last), int(skip_id)
    except ValueError as error:
        raise unusable() from error


def get(session: Session, schedule_id: UUID) -> ScheduleRow | None:
    statement = select(_schedule).where(_schedule.c.id == schedule_id)
    return cast(ScheduleRow | None, session.execute(statement).one_or_none())


def to_plan(session: Session, now: datetime) -> list[UUID]:
    """The active schedules that must be planned now, the most overdue first."""
    statement = (
        select(_schedule.c.id)
        .join(_flow, _flow.c.id == _schedule.c.flow_id)
        .where(ACTIVE, _schedule.c.plan_at <= now, ~_flow.c.archived, ~_flow.c.paused)
        .order_by(_schedule.c.plan_at)
    )
    return readable.scalars(session, statement)


def behind(session: Session, now: datetime, after: UUID, limit: int) -> list[UUID]:
    """Active schedules with due times in the past that were not planned, in the order of their ids."""
    statement = select(_schedule.c.id).where(ACTIVE, _schedule.c.scheduled_until < now, _schedule.c.id > after)
    return readable.scalars(session, statement.order_by(_schedule.c.id).limit(limit))


def planned(session: Session, now: datetime) -> dict[UUID, list[datetime]]:
    """The due times of the runs that are only planned, by schedule, of schedules that are active."""
    statement = (
        select(_run.c.schedule_id, _run.c.due_at)
        .join(_schedule, _schedule.c.id == _run.c.schedule_id)
        .where(SCHEDULED_NOW, _run.c.due_at > now, _run.c.attempt == 0, ACTIVE)
    )
    times: dict[UUID, list[datetime]] = {}
    for schedule_id, due_at in readable.every(session, statement):
        times.setdefault(schedule_id, []).append(due_at)
    return times


def documents(session: Session, ids: Sequence[UUID]) -> dict[UUID, JsonDocument]:
    """The documents of schedules, by id."""
    statement = select(_schedule.c.id, _schedule.c.document).where(_schedule.c.id.in_(ids))
    return {schedule_id: document for schedule_id, document in readable.every(session, statement)}


def left_out(session: Session, schedule_ids: Collection[UUID], since: datetime) -> dict[UUID, dict[datetime, LeftOut]]:
    """The due times from `since` on that people have skipped or whose runs they have deleted, by schedule; they get no run."""
    statement = select(*(_skip.c[name] for name in LeftOut.__annotations__)).where(
        among(session, _skip.c.schedule_id, schedule_ids), _skip.c.last >= since, _skip.c.code.in_((DELETED, SKIPPED))
    )
    times: dict[UUID, dict[datetime, LeftOut]] = {}
    for row in readable.every(session, statement):
        times.setdefault(row.schedule_id, {})[row.last] = row
    return times


def skipped_beyond(session: Session, now: datetime) -> list[UUID]:
    """The active schedules with a record of missed times that reaches beyond `now`."""
    statement = (
        select(_skip.c.schedule_id)
        .join(_schedule, and_(_schedule.c.id == _skip.c.schedule_id, _schedule.c.version == _skip.c.version))
        .where(ACTIVE, _skip.c.code == "catch_up", _skip.c.last > now)
        .distinct()
    )
    return readable.scalars(session, statement)


def skips_after(session: Session, schedule: Schedule, now: datetime) -> list[SkipRow]:
    """The records of missed times of this version of the schedule that reach beyond `now`: the clock was wrong when they were written."""
    mine = (_skip.c.schedule_id == schedule.id, _skip.c.version == schedule.version, _skip.c.code == "catch_up")
    return cast(list[SkipRow], readable.every(session, select(_skip).where(*mine, _skip.c.last > now)))


def with_planned(session: Session, after: datetime, until: datetime) -> list[UUID]:
    """The active schedules with runs that came due in (after, until] and are still only planned."""
    statement = (
        select(_run.c.schedule_id)
        .join(_schedule, _schedule.c.id == _run.c.schedule_id)
        .where(ACTIVE, ONLY_PLANNED, _run.c.scheduled_time > after, _run.c.scheduled_time <= until)
        .distinct()
    )
    return readable.scalars(session, statement)


def planned_ahead(schedule_id: UUID, now: datetime) -> ColumnElement[bool]:
    """A run of the schedule that is not due yet and that no one has taken or edited."""
    return and_(
        _run.c.schedule_id == schedule_id,
        _run.c.due_at > now,
        _run.c.state_type == "SCHEDULED",
        _run.c.attempt == 0,
        _run.c.version == 1,
    )


def planned_runs(session: Session, schedule_id: UUID, now: datetime) -> int:
    """How many runs go with the schedule."""
    statement = select(func.count()).select_from(_run).where(planned_ahead(schedule_id, now))
    return session.execute(statement).scalar_one()


def run_at(session: Session, schedule_id: UUID, due_at: datetime) -> UUID | None:
    """The run of a due time."""
    statement = select(_run.c.id).where(_run.c.schedule_id == schedule_id, _run.c.due_at == due_at)
    return cast(UUID | None, session.execute(statement).scalar_one_or_none())


def due_times_with_runs(session: Session, schedule_id: UUID, after: datetime, until: datetime) -> frozenset[datetime]:
    """The due times in (after, until] that have a run."""
    mine = (_run.c.schedule_id == schedule_id, _run.c.due_at > after, _run.c.due_at <= until)
    return frozenset(readable.scalars(session, select(_run.c.due_at).where(*mine)))
