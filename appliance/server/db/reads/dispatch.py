"""Reads of the runs that may be handed to agents, and the conditions for that, which the database decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypedDict
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Integer, Select, TextClause, and_, bindparam, literal, not_, or_, select, text
from sqlalchemy.orm import Session

from appliance.kit.documents import JsonDocument
from appliance.server.db.conditions import LIVE_NOW, MAY_BE_CLAIMED, ONLY_PLANNED, SCHEDULED_NOW, has_type
from appliance.server.db.reads import hold, leases, maintenance, outages, readable, settings
from appliance.server.db.reads.hold import HOLD
from appliance.server.db.reads.maintenance import MAINTENANCE
from appliance.server.db.reads.outages import OUTAGE
from appliance.server.db.tables import metadata
from appliance.server.domain.transitions import PENDING, SCHEDULED
from appliance.server.domain.waiting import KINDS_OF_EARLIER, STORAGES_OF_EARLIER

_run = metadata.tables["flow_run"]
_flow = metadata.tables["flow"]
_project = metadata.tables["project"]
_schedule = metadata.tables["schedule"]

_SERVED = {
    "sqlite": text(
        "case when json_valid(flow_run.labels) and json_valid(flow_run.run_config)"
        " then not exists (select 1 from json_each(flow_run.labels) as label"
        " where label.value not in (select value from json_each(:agent_labels))"
        " and (label.value not like 'on-host:%' or substr(label.value, 9) in"
        " (select host from agent where state <> 'forgotten'))) else 0 end"
    ),
    "postgresql": text(
        "case when flow_run.labels <@ cast(:agent_labels as jsonb) then true"
        " when jsonb_typeof(flow_run.labels) = 'array'"
        " then not exists (select 1 from jsonb_array_elements_text(flow_run.labels) as own"
        " where not cast(:agent_labels as jsonb) @> to_jsonb(own)"
        " and (own not like 'on-host:%' or substr(own, 9) in"
        " (select host from agent where state <> 'forgotten'))) else false end"
    ),
}
"""The labels of a run must be a subset of the agent's, but for those of hosts that no agent has. A run with damaged ones is not handed out, and
stops no other."""

_OF_ITS_KIND = {
    "sqlite": text(
        "case when json_valid(flow_run.run_config)"
        " then coalesce(json_extract(flow_run.run_config, '$.type'), 'universal')"
        " in (select value from json_each(:agent_kinds))"
        " and (:agent_users is null or json_extract(flow_run.run_config, '$.user') is null"
        " or json_extract(flow_run.run_config, '$.user') in (select value from json_each(:agent_users)))"
        " and (:agent_pythons is null or"
        " (json_extract(flow_run.run_config, '$.python') is null"
        " and coalesce(json_array_length(flow_run.run_config, '$.requirements'), 0) = 0)"
        " or coalesce(json_extract(flow_run.run_config, '$.python'), '') in (select value from json_each(:agent_pythons)))"
        " else 0 end"
        " and exists (select 1 from flow_version where flow_version.id = flow_run.flow_version_id"
        " and flow_version.storage_type in (select value from json_each(:agent_storages)))"
    ),
    "postgresql": text(
        "cast(:agent_kinds as jsonb) @> to_jsonb(coalesce(flow_run.run_config ->> 'type', 'universal'))"
        " and coalesce(cast(:agent_users as jsonb) @> to_jsonb(flow_run.run_config ->> 'user'), true)"
        " and coalesce(cast(:agent_pythons as jsonb) @> to_jsonb(coalesce(flow_run.run_config ->> 'python',"
        " case when flow_run.run_config -> 'requirements' <> '[]' then '' end)), true)"
        " and (select cast(:agent_storages as jsonb) @> to_jsonb(flow_version.storage_type) from flow_version"
        " where flow_version.id = flow_run.flow_version_id)"
    ),
}
"""The agent starts runs of this kind, as this user and in this Python, and takes code from where the version's is. That is a value for each run,
since Postgres would turn `exists` into a join, guess that a hundredth of the versions match, and read all their runs."""

HAS_FREE_LABELS = {
    "sqlite": text(
        "case when json_valid(flow_run.labels) then not exists (select 1 from json_each(flow_run.labels) as own"
        " where own.value in (select value from json_each(:full_labels))) else 0 end"
    ),
    "postgresql": text(
        "case when jsonb_typeof(flow_run.labels) = 'array'"
        " then not exists (select 1 from jsonb_array_elements_text(flow_run.labels) as own"
        " where cast(:full_labels as jsonb) @> to_jsonb(own)) else false end"
    ),
}

NOT_OVERLAPPING = text(
    "not exists (select 1 from schedule join flow_run as other on other.schedule_id = schedule.id"
    " where schedule.id = flow_run.schedule_id and schedule.overlap <> 'allow' and other.id <> flow_run.id"
    " and (other.state_type in ('PENDING', 'RUNNING', 'CANCELLING')"
    " or (other.state_type = 'SCHEDULED' and other.due_at < flow_run.due_at)))"
)
"""A run waits for the one before it, unless its schedule allows overlap."""

_NOT_BEGUN = has_type({SCHEDULED, PENDING})
_NOT_IN_OUTAGE = not_(
    and_(ONLY_PLANNED, _run.c.due_at > bindparam("outage_after"), _run.c.due_at <= bindparam("outage_until"))
)

_CAN_GO_ON = or_(_run.c.results_at.is_(None), _run.c.results_at.in_(bindparam("agent_places", expanding=True)))
"""The results that the run goes on from can be read by the agent."""

_TWO_PROJECTS = select(_project.c.id).limit(2)


@dataclass(frozen=True)
class Taker:
    """What decides which runs an agent gets."""

    labels: Sequence[str]
    projects: Sequence[str] | None = None
    """Those whose runs it takes; none: all."""
    kinds: Sequence[str] = KINDS_OF_EARLIER
    """Of run configs that it starts."""
    storages: Sequence[str] = STORAGES_OF_EARLIER
    """Those from which it takes code."""
    places: Sequence[str] = ()
    """Those whose results its runs can read, and some others can't."""
    users: Sequence[str] | None = None
    """The accounts as which it starts runs; None: it doesn't say, and so with the Pythons."""
    pythons: Sequence[str] | None = None
    origin: JsonDocument | None = None
    """What the states of the runs that it gets say of it."""


@dataclass(frozen=True)
class Form:
    """What the text of a statement depends on."""

    dialect: str
    hold: bool
    """Runs that were due up to :held_until are held back."""
    several_projects: bool = False
    own_projects: bool = False
    """The agent takes only runs of :agent_projects."""
    outage: bool = False
    """Planned runs that came due in (:outage_after, :outage_until] wait until their schedules' policies have decided."""


class DueValues(TypedDict):
    """The values of the parameters in `due_conditions`."""

    now: datetime
    agent_labels: str
    agent_kinds: str
    agent_storages: str
    agent_users: str | None
    agent_pythons: str | None
    agent_projects: list[str]
    agent_places: list[str]
    held_until: datetime | None
    outage_after: datetime | None
    outage_until: datetime | None


def any_due(session: Session, taker: Taker, now: datetime) -> bool:
    """Whether there is a run for such an agent, if limits and other runs permit it."""
    values = bound_values(session, taker, now)
    if values is None:
        return False
    return session.connection().execute(_any_due(_form(session, values)), values).first() is not None


def due_for(session: Session, taker: Taker, now: datetime, most: int) -> list[UUID]:
    """The due runs for such an agent that have waited longest, whether limits and other runs permit them or not."""
    values = bound_values(session, taker, now)
    if values is None:
        return []
    return readable.scalars(session, _due_for(_form(session, values)), {**values, "most": most})


def live(session: Session) -> list[tuple[UUID, list[str]]]:
    """The flow and labels of every active run."""
    return [
        (row.flow_id, row.labels)
        for row in readable.every(session, select(_run.c.flow_id, _run.c.labels).where(LIVE_NOW))
    ]


_older = _run.alias("older")
_OVERLAPPING = (
    select(_run.c.id, _older.c.id, _older.c.name, _schedule.c.overlap)
    .join(_schedule, _schedule.c.id == _run.c.schedule_id)
    .join(_older, _older.c.schedule_id == _schedule.c.id)
    .where(
        SCHEDULED_NOW,
        _run.c.scheduled_time <= bindparam("now"),
        _schedule.c.overlap.in_(("skip", "cancel")),
        text("older.state_type in ('PENDING', 'RUNNING')"),
    )
    .order_by(_run.c.scheduled_time, _run.c.id)
    .limit(bindparam("limit"))
)
"""Built once, since the scheduler asks every few seconds, and building it takes four times as long as asking."""


def overlapping(session: Session, now: datetime, limit: int) -> list[tuple[UUID, UUID, str, str]]:
    """Due runs whose schedule skips them or stops the older run: (run, the live run before it, that one's name, policy)."""
    return [tuple(row) for row in readable.every(session, _OVERLAPPING, {"now": now, "limit": limit})]


def as_json(labels: Sequence[str]) -> str:
    """Labels as the conditions compare them."""
    return msgspec.json.encode(sorted(set(labels))).decode()


def bound_values(session: Session, taker: Taker, now: datetime) -> DueValues | None:
    """The values for such an agent; None when no run may be handed out."""
    server = leases.get(session, outages.SERVER)  # before the record of an outage, which is written together with it
    texts = settings.several(session, (MAINTENANCE.name, HOLD.name, OUTAGE.name))
    if maintenance.current(MAINTENANCE.decoded(texts.get(MAINTENANCE.name)), now) is not None:
        return None
    outage = outages.lasting(server, OUTAGE.decoded(texts.get(OUTAGE.name)), now)
    return {
        "now": now,
        "agent_labels": as_json(taker.labels),
        "agent_kinds": as_json(taker.kinds),
        "agent_storages": as_json(taker.storages),
        "agent_users": None if taker.users is None else as_json(taker.users),
        "agent_pythons": None if taker.pythons is None else as_json(taker.pythons),
        "agent_projects": list(taker.projects or ()),
        "agent_places": list(taker.places),
        "held_until": hold.held_until(HOLD.decoded(texts.get(HOLD.name))),
        "outage_after": None if outage is None else outage.after,
        "outage_until": None if outage is None else outage.until,
    }


def form_of(session: Session, values: DueValues) -> Form:
    """The form of statements with these values."""
    return _form(session, values, _several_projects(session))


def _form(session: Session, values: DueValues, several_projects: bool = False) -> Form:
    held, outage = values["held_until"] is not None, values["outage_after"] is not None
    return Form(dialect(session), held, several_projects, bool(values["agent_projects"]), outage)


@cache
def _any_due(form: Form) -> Select[Any]:
    return select(literal(1)).select_from(_run).where(*due_conditions(form)).limit(1)


@cache
def _due_for(form: Form) -> Select[Any]:
    query = select(_run.c.id).where(*due_conditions(form)).order_by(_run.c.scheduled_time, _run.c.id)
    return query.limit(bindparam("most", type_=Integer))


def due_conditions(form: Form) -> list[ColumnElement[bool] | TextClause]:
    """The conditions under which a run may be handed out to an agent, see Taker."""
    return [
        MAY_BE_CLAIMED,
        _run.c.scheduled_time <= bindparam("now"),
        _run.c.flow_id.in_(_open_flows(form.own_projects)),
        _CAN_GO_ON,
        _SERVED[form.dialect],
        _OF_ITS_KIND[form.dialect],
        *((_run.c.scheduled_time > bindparam("held_until"),) if form.hold else ()),
        *((_NOT_IN_OUTAGE,) if form.outage else ()),
    ]


def _open_flows(own_projects: bool) -> Select[Any]:
    flows = select(_flow.c.id).where(~_flow.c.paused, ~_flow.c.archived)
    if not own_projects:
        return flows
    own = _project.c.name.in_(bindparam("agent_projects", expanding=True))
    return flows.where(_flow.c.project_id.in_(select(_project.c.id).where(own)))


def _several_projects(session: Session) -> bool:
    return len(readable.every(session, _TWO_PROJECTS)) > 1


def dialect(session: Session) -> str:
    """`sqlite` or `postgresql`."""
    return str(session.connection().dialect.name)


def not_begun(session: Session, due: datetime, after: UUID, limit: int) -> list[UUID]:
    """Runs that were due by then and have not begun, or wait to go on, in the order of their ids."""
    statement = select(_run.c.id).where(_NOT_BEGUN, _run.c.scheduled_time <= due, _run.c.id > after)
    return readable.scalars(session, statement.order_by(_run.c.id).limit(limit))
