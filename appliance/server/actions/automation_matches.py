"""Which events an automation concerns, and what a message says of them: the same for deliveries and for dry runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.config import Settings
from appliance.kit import clock
from appliance.server.db.reads import automations as reads
from appliance.server.db.reads import known_failures, maintenance, task_runs
from appliance.server.db.rows.automations import EventSubject
from appliance.server.domain import run_query
from appliance.server.domain.automation_acts import chain_in
from appliance.server.domain.automations import AGENT, APPLIANCE, RUN, events_of, subject_of
from appliance.server.domain.failures import failure_of, is_known_at, is_own_cause
from appliance.server.errors import ServerError

log = logging.getLogger(__name__)

_FAILURES = frozenset({"run.failed", "run.crashed", "run.timed_out", "run.crash_loop"})


class Event(Protocol):
    @property
    def id(self) -> int: ...
    @property
    def at(self) -> datetime: ...
    @property
    def object_id(self) -> UUID: ...
    @property
    def kind(self) -> str: ...
    @property
    def data(self) -> Mapping[str, Any]: ...


class Condition(Protocol):
    """When an automation acts."""

    @property
    def events(self) -> Sequence[str]: ...
    @property
    def q(self) -> str: ...


@dataclass(frozen=True)
class Match:
    """An event that concerns an automation. `message` has what is said of it, but for the text; `flow_id` is of its run, `chain` how many
    automations in a row have led to that, and `version` which of its states it is."""

    event: Event
    name: str
    message: dict[str, Any]
    flow_id: UUID | None = None
    chain: int = 0
    version: int | None = None


def matches(
    session: Session, condition: Condition, events: Sequence[Event], base_url: str, now: datetime
) -> list[Match]:
    """Those of the events that the condition describes, in their order. A query that no longer can be used describes nothing."""
    named = [(event, name) for event in events if (name := _name(condition, event))]
    if not named:
        return []
    ids = {event.object_id for event, _ in named}
    try:
        query, subject = run_query.parse(condition.q, now), subject_of(condition.events)
    except ServerError as error:
        log.warning("An automation can't be used: %s", error)
        return []
    if subject == APPLIANCE:
        return [_of_appliance(event, name) for event, name in named]
    if subject == AGENT:
        names = reads.agents_matching(session, query.agent, query.labels, ids)
        return [_of_agent(event, name, names[event.object_id]) for event, name in named if event.object_id in names]
    rows = (
        reads.runs_matching(session, query, ids, now)
        if subject == RUN
        else reads.schedules_matching(session, query, ids)
    )
    subjects = {row.id: row for row in rows}
    of = _of_run if subject == RUN else _of_schedule
    return [
        of(session, event, name, subjects[event.object_id], base_url)
        for event, name in named
        if event.object_id in subjects
    ]


def _name(condition: Condition, event: Event) -> str | None:
    """Which of the condition's events it is."""
    return next((name for name in events_of(event.kind, event.data) if name in condition.events), None)


def is_known(session: Session, match: Match, now: datetime) -> bool:
    """Whether a person has marked the failure of this run as known."""
    if match.name not in _FAILURES or match.flow_id is None:
        return False
    known = known_failures.open_of_flows(session, [match.flow_id])
    if not known:
        return False
    run_id = match.event.object_id
    own = is_own_cause(match.message["state"])
    task = None if own else task_runs.first_failures(session, [run_id]).get(run_id)
    failure = failure_of(match.message["message"], task)
    same = (failure.task_slug, failure.fingerprint)
    return any((row.task_slug, row.fingerprint) == same and is_known_at(row.until, now) for row in known)


def address_of(settings: Settings) -> str:
    """Where people open the pages of the appliance; empty if that is not known."""
    return settings.public_url.split(",")[0].strip().rstrip("/")


def is_maintained(session: Session, now: datetime) -> bool:
    """Whether there is maintenance now."""
    return maintenance.find(session, now) is not None


def _of_run(session: Session, event: Event, name: str, run: EventSubject, base_url: str) -> Match:
    data = event.data
    message = {
        "event": name, "at": clock.isoformat(event.at), "project": run.project, "flow": run.flow, "flow_id": str(run.flow_id),
        "run": run.run, "run_id": str(run.id), "state": data.get("name", ""),
        "message": reads.state_message(session, run.id, data.get("version", 0)), "reason": data.get("reason", ""), "agent": run.agent or "",
    }  # fmt: skip
    if run.schedule_id is not None:
        message["schedule_id"] = str(run.schedule_id)
    if base_url:
        message["url"] = f"{base_url}/runs/{run.id}"
    return Match(event, name, message, run.flow_id, chain_in(run.context), data.get("version"))


def _of_schedule(_session: Session, event: Event, name: str, schedule: EventSubject, base_url: str) -> Match:
    data = event.data
    message = {
        "event": name, "at": clock.isoformat(event.at), "project": schedule.project, "flow": schedule.flow,
        "flow_id": str(schedule.flow_id), "schedule_id": str(schedule.id),
        "skipped": f"{data.get('count')} from {data.get('first')} to {data.get('last')}",
    }  # fmt: skip
    if base_url:
        message["url"] = f"{base_url}/flows/{schedule.flow_id}"
    return Match(event, name, message)


def _of_agent(event: Event, name: str, agent: str) -> Match:
    message = {
        "event": name, "at": clock.isoformat(event.at), "agent": agent, "agent_id": str(event.object_id),
        "message": str(event.data.get("message", "")),
    }  # fmt: skip
    return Match(event, name, message)


def _of_appliance(event: Event, name: str) -> Match:
    message = {"event": name, "at": clock.isoformat(event.at), "message": str(event.data.get("message", ""))}
    return Match(event, name, message)
