"""Reads of automations and deliveries, and of what the events of automations are about."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import Integer, and_, bindparam, case, func, or_, select
from sqlalchemy.orm import Session

from appliance.protocol.run_filter import RunFilter
from appliance.server.db.prepared import Prepared
from appliance.server.db.reads import pages, readable, run_filters
from appliance.server.db.reads.among import among
from appliance.server.db.reads.pages import RowPage
from appliance.server.db.reads.settings import Stored
from appliance.server.db.rows.automations import AutomationRow, DeliveryCounts, DeliveryRow, DueDelivery, EventSubject
from appliance.server.db.rows.events import EventRow
from appliance.server.db.tables import metadata
from appliance.server.db.tables.columns import BigKey, Time
from appliance.server.domain.automations import CHANGES
from appliance.server.domain.sanitize import composed

_automation, _delivery, _event = (metadata.tables[name] for name in ("automation", "delivery", "event"))
_run, _flow, _project = (metadata.tables[name] for name in ("flow_run", "flow", "project"))
_agent, _schedule = metadata.tables["agent"], metadata.tables["schedule"]
POSITION = Stored("automations.position", int)
"""The id of the event up to which all have been compared with the automations."""
MOST = 200
"""Automations of a site."""
_ENABLED = Prepared(select(_automation).where(_automation.c.enabled).order_by(_automation.c.id))
_DUE = Prepared(
    select(
        *(_delivery.c[name] for name in ("id", "automation_id", "event", "message", "attempts", "expires")),
        _automation.c.name, _automation.c.action,
    )
    .join(_automation, _automation.c.id == _delivery.c.automation_id)
    .where(_delivery.c.state == "pending", _delivery.c.next_try_at <= bindparam("now", type_=Time))
    .order_by(_delivery.c.next_try_at, _delivery.c.id)
    .limit(bindparam("most", type_=Integer))
)  # fmt: skip
_EVENTS = Prepared(
    select(_event)
    .where(_event.c.id > bindparam("after", type_=BigKey))
    .order_by(_event.c.id)
    .limit(bindparam("most", type_=Integer))
)
_state = metadata.tables["flow_run_state"]
_STATE_MESSAGE = Prepared(
    select(_state.c.message).where(_state.c.flow_run_id == bindparam("run"), _state.c.version == bindparam("version"))
)
_SUBJECT = (
    _run.c.id, _run.c.flow_id, _run.c.name.label("run"), _flow.c.name.label("flow"), _project.c.name.label("project"),
    _run.c.state_name.label("state"), _run.c.state_message, _run.c.scheduled_time, _run.c.start_time,
    _agent.c.name.label("agent"), _run.c.schedule_id, _run.c.context,
)  # fmt: skip


def every(session: Session) -> Sequence[AutomationRow]:
    """All automations, by name."""
    return cast(
        Sequence[AutomationRow], readable.every(session, select(_automation).order_by(_automation.c.folded_name))
    )


def enabled(session: Session) -> Sequence[AutomationRow]:
    """Those that are enabled, the oldest first."""
    return cast(Sequence[AutomationRow], readable.every(session, _ENABLED))


def one(session: Session, automation_id: UUID) -> AutomationRow | None:
    statement = select(_automation).where(_automation.c.id == automation_id)
    return cast(AutomationRow | None, session.connection().execute(statement).one_or_none())


def named(session: Session, folded_name: str) -> UUID | None:
    """The id of the automation with this name."""
    statement = select(_automation.c.id).where(_automation.c.folded_name == folded_name)
    return cast(UUID | None, session.connection().execute(statement).scalar_one_or_none())


def number(session: Session) -> int:
    """How many there are."""
    return int(session.connection().execute(select(func.count()).select_from(_automation)).scalar_one())


def counts(session: Session, ids: Collection[UUID]) -> dict[UUID, DeliveryCounts]:
    """How the deliveries of these automations stand."""
    if not ids:
        return {}
    statement = (
        select(
            _delivery.c.automation_id,
            func.sum(case((_delivery.c.state == "pending", 1), else_=0)).label("pending"),
            func.sum(case((_delivery.c.state == "failed", 1), else_=0)).label("failed"),
            func.max(_delivery.c.created, type_=Time).label("last_at"),
        )
        .where(_delivery.c.automation_id.in_(ids))
        .group_by(_delivery.c.automation_id)
    )
    rows = cast(Sequence[DeliveryCounts], readable.every(session, statement))
    return {row.automation_id: row for row in rows}


def events_after(session: Session, event_id: int, limit: int) -> Sequence[EventRow]:
    """The next events of the outbox, oldest first."""
    return cast(Sequence[EventRow], readable.rows(session, _EVENTS, limit, {"after": event_id}))


def events_between(session: Session, after: int, before: int, limit: int) -> Sequence[EventRow]:
    """Events that may concern automations, with ids between these two, newest first."""
    ids = (_event.c.id > after, _event.c.id < before)
    statement = select(_event).where(*ids, _event.c.kind.in_(CHANGES)).order_by(_event.c.id.desc())
    return cast(Sequence[EventRow], readable.rows(session, statement, limit))


def state_message(session: Session, run_id: UUID, version: int) -> str:
    """What the run's state with this version says."""
    values = {"run": run_id, "version": version}
    return next((str(row.message) for row in readable.every(session, _STATE_MESSAGE, values)), "")


def runs_matching(session: Session, criteria: RunFilter, ids: Collection[UUID], now: datetime) -> list[EventSubject]:
    """Those of these runs that the filter describes."""
    statement = (
        select(*_SUBJECT)
        .join(_flow, _flow.c.id == _run.c.flow_id)
        .join(_project, _project.c.id == _flow.c.project_id)
        .outerjoin(_agent, _agent.c.id == _run.c.agent_id)
        .where(among(session, _run.c.id, ids), *run_filters.every(session, criteria, now))
    )
    return cast(list[EventSubject], readable.every(session, statement))


def schedules_matching(session: Session, criteria: RunFilter, ids: Collection[UUID]) -> list[EventSubject]:
    """Those of these schedules whose flows the filter describes."""
    statement = (
        select(_schedule.c.id, _schedule.c.flow_id, _flow.c.name.label("flow"), _project.c.name.label("project"))
        .join(_flow, _flow.c.id == _schedule.c.flow_id)
        .join(_project, _project.c.id == _flow.c.project_id)
        .where(among(session, _schedule.c.id, ids))
    )
    if criteria.flow_id is not None:
        statement = statement.where(_schedule.c.flow_id == criteria.flow_id)
    if run_filters.names_flows(criteria):
        statement = statement.where(_schedule.c.flow_id.in_(run_filters.flows_named(session, criteria)))
    return cast(list[EventSubject], readable.every(session, statement))


def agents_matching(
    session: Session, name: str | None, labels: Collection[str], ids: Collection[UUID]
) -> dict[UUID, str]:
    """The names of those of these agents that have a name like this and all labels."""
    statement = select(_agent.c.id, _agent.c.name, _agent.c.labels).where(among(session, _agent.c.id, ids))
    if name is not None:
        statement = statement.where(pages.like(session, _agent.c.name, name))
    rows = readable.every(session, statement)
    return {row.id: row.name for row in rows if set(map(composed, labels)) <= set(row.labels)}


def due(session: Session, now: datetime, limit: int) -> Sequence[DueDelivery]:
    """Deliveries that are due, longest due first."""
    return cast(Sequence[DueDelivery], readable.rows(session, _DUE, limit, {"now": now}))


def known_deliveries(session: Session, event_ids: Collection[int]) -> set[tuple[UUID, int]]:
    """Which of these events have a delivery, by automation."""
    statement = select(_delivery.c.automation_id, _delivery.c.event_id).where(_delivery.c.event_id.in_(event_ids))
    return {(row.automation_id, row.event_id) for row in readable.complete(session, statement)}


def recent(session: Session, automation_id: UUID, since: datetime, most: int) -> list[datetime]:
    """When the automation acted since a time, newest first, at most so often. What was dropped doesn't count."""
    statement = (
        select(_delivery.c.created)
        .where(_delivery.c.automation_id == automation_id, _delivery.c.created > since, _delivery.c.state != "dropped")
        .order_by(_delivery.c.created.desc())
        .limit(most)
    )
    return readable.scalars(session, statement)


def suppressed(session: Session, automation_id: UUID, reason: str) -> int:
    """How many deliveries were dropped for this reason since it last acted."""
    ours = _delivery.c.automation_id == automation_id
    last = select(func.max(_delivery.c.event_id)).where(ours, _delivery.c.state != "dropped").scalar_subquery()
    since = or_(last.is_(None), _delivery.c.event_id > last)
    statement = select(func.count()).where(
        and_(ours, _delivery.c.state == "dropped", _delivery.c.reason == reason, since)
    )
    return int(session.connection().execute(statement).scalar_one())


def deliveries(
    session: Session, automation_id: UUID | None, state: str | None, limit: int, after: str | None
) -> RowPage[DeliveryRow]:
    """Deliveries of an automation, or of all, newest first."""
    query = select(_delivery)
    if automation_id is not None:
        query = query.where(_delivery.c.automation_id == automation_id)
    if state is not None:
        query = query.where(_delivery.c.state == state)
    if after is not None:
        created, id = pages.time_and_id(after)
        query = query.where(
            or_(_delivery.c.created < created, and_(_delivery.c.created == created, _delivery.c.id < id))
        )
    query = query.order_by(_delivery.c.created.desc(), _delivery.c.id.desc())
    return pages.read(session, query, limit, lambda row: (row.created, row.id))


def delivery(session: Session, delivery_id: UUID) -> DeliveryRow | None:
    statement = select(_delivery).where(_delivery.c.id == delivery_id)
    return cast(DeliveryRow | None, session.connection().execute(statement).one_or_none())
