"""The one writer of flow runs' states: each is stored where the rules accept it, with its history and its event, inside another
action's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Protocol, Unpack
from uuid import UUID

from msgspec import structs
from sqlalchemy.orm import Session

from appliance.kit import clock, crash
from appliance.kit.documents import JsonDocument
from appliance.protocol.state_change import StateChange
from appliance.server.actions import continuation, crash_loops, known_failures, quotas
from appliance.server.auth.identity import Actor
from appliance.server.db.rows.events import MoreNews, StateNews
from appliance.server.db.rows.flow_runs import FlowRunColumns, LockedRun
from appliance.server.db.rows.task_runs import ClearedColumns
from appliance.server.db.writes import states, task_runs
from appliance.server.domain.quotas import ROW, Stored
from appliance.server.domain.repair import Remedy
from appliance.server.domain.sanitize import clean
from appliance.server.domain.transitions import (
    FIRST,
    PENDING,
    Accept,
    Accepted,
    BulkChange,
    Facts,
    Proposed,
    Refuse,
    Terms,
    Verdict,
    Wait,
    decide,
    end_of_open_tasks,
    ends_run,
    hands_back,
    resumes_alone,
)
from appliance.server.errors import Conflict, Invalid, StaleAttempt
from appliance.server.events.outbox import announce_all

LONGEST_ACTOR = 200


def facts_of(run: LockedRun, hold: str = "") -> Facts:
    """What the rules need to know of a run. `hold`: why nothing of it may start now."""
    return Facts(run.state_type, run.state_name, run.attempt, hold, run.version, run.cancel_requested)


def propose_state(
    session: Session,
    run: LockedRun,
    change: StateChange,
    actor: Actor,
    columns: FlowRunColumns | None = None,
    *,
    hold: str = "",
    **terms: Unpack[Terms],
) -> Verdict:
    """Store the state, with other columns of the run, if the rules accept it; their verdict, which may name another state."""
    verdict = decide(facts_of(run, hold), Proposed(change.type, change.name, **terms))
    if isinstance(verdict, Accept):
        state = structs.replace(change, type=verdict.type, name=verdict.name)
        _write(session, run, (state,), columns or {}, actor, change.at)
    return verdict


def change_state(
    session: Session,
    run: LockedRun,
    change: StateChange,
    actor: Actor,
    columns: FlowRunColumns | None = None,
    **terms: Unpack[Terms],
) -> Accept:
    """The same for a state that must be accepted; raises Conflict with the sentence of the rules when it is not."""
    verdict = propose_state(session, run, change, actor, columns, **terms)
    if isinstance(verdict, Refuse):
        raise conflict(verdict)
    if isinstance(verdict, Wait):
        raise Conflict(verdict.reason)
    return verdict


def store_report(
    session: Session,
    run: LockedRun,
    reached: Accepted,
    columns: FlowRunColumns,
    stored: Stored,
    actor: Actor,
    now: datetime,
) -> None:
    """Store the states that an attempt has reported, or none, with other columns of the run. `stored`: what the report as a whole takes."""
    if reached and hands_back(reached[-1].type):
        columns = columns | _handed_back(reached[-1]) | {"results_at": continuation.place_after(session, run)}
    _write(session, run, reached, columns, actor, now, stored)


class VersionedRun(Protocol):
    """A run with the version and attempt of its newest state."""

    @property
    def id(self) -> UUID: ...

    @property
    def version(self) -> int: ...

    @property
    def attempt(self) -> int: ...


def record_bulk(
    session: Session,
    change: BulkChange,
    runs: Sequence[VersionedRun],
    actor: Actor,
    now: datetime,
    message: str = "",
    data: JsonDocument | None = None,
    news: Mapping[UUID, MoreNews] = MappingProxyType({}),
) -> None:
    """Record the state that one statement has given to all of these runs. `news`: what the events of some say beside it."""
    state = StateChange(change.type, change.name, now, message, data)
    name = clean(actor.name, LONGEST_ACTOR)
    states.add(session, [states.row(run.id, run.version, run.attempt, state, name) for run in runs])
    _announce(session, [(run.id, run.version, state) for run in runs], actor, now, news)


def record_first(session: Session, flow_run_ids: Sequence[UUID], actor: Actor, now: datetime) -> None:
    """Record the first state of new runs."""
    state, name = FIRST.change(now), clean(actor.name, LONGEST_ACTOR)
    states.add(session, [states.row(id, 1, 0, state, name) for id in flow_run_ids])
    _announce(session, [(id, 1, state) for id in flow_run_ids], actor, now)


def apply_remedy(session: Session, run: LockedRun, remedy: Remedy, actor: Actor) -> None:
    """Give the run back to the agents, or end it with its unfinished tasks."""
    columns: FlowRunColumns = {}
    if remedy.action == "give_back":  # the attempt can't begin any more: the run is not Pending, and its token is gone
        returns = run.times_resurrected + 1
        columns = {"agent_id": None, "lease_expires_at": None, "run_token_hash": None, "times_resurrected": returns}
    state = change_state(session, run, remedy.change, actor, columns)
    close_tasks(session, run, state.type, remedy.change.at)


def close_tasks(session: Session, run: LockedRun, type: str, now: datetime) -> None:
    """Give the tasks that are unfinished an end of their own when the run has ended as this type."""
    end = end_of_open_tasks(type)
    if end is not None:
        closed = task_runs.close(session, run.id, run.attempt, end.change(now, "The run ended before this task did."))
        quotas.add_states(session, run, closed)


def move_tasks(
    session: Session, run: LockedRun, ids: Sequence[UUID], change: StateChange, **columns: Unpack[ClearedColumns]
) -> None:
    """Give task runs of the run one and the same new state, and set other columns."""
    task_runs.move(session, ids, change, **columns)
    quotas.add_states(session, run, len(ids))


def run_again(session: Session, run: LockedRun, ids: Sequence[UUID], cause: str, now: datetime) -> None:
    """Make the next attempt run these task runs as if they had never run."""
    if ids:
        cleared: ClearedColumns = {"run_count": 0, "result_location": None, "start_time": None, "end_time": None}
        move_tasks(session, run, ids, StateChange(PENDING, "Pending", now, f"Runs again, because {cause}."), **cleared)


def conflict(refusal: Refuse) -> Conflict:
    """The error for what the rules refuse."""
    return (StaleAttempt if refusal.code == "stale_attempt" else Conflict)(refusal.sentence)


def _write(
    session: Session,
    run: LockedRun,
    changes: Sequence[StateChange],
    columns: FlowRunColumns,
    actor: Actor,
    now: datetime,
    stored: Stored | None = None,
) -> None:
    """Append the states and set the run's columns, where the run is still as `run` saw it."""
    if stored is None:
        stored = Stored(len(changes), sum(ROW + len(change.message) for change in changes))
    attempt, name = columns.get("attempt", run.attempt), clean(actor.name, LONGEST_ACTOR)
    numbered = list(enumerate(changes, run.version + 1))
    if numbered:
        version, last = numbered[-1]
        columns = columns | states.columns(last, version)
        if ends_run(last.type):
            columns["lease_expires_at"] = None
            columns.setdefault("end_time", last.at)
    if not states.change(session, run.id, run.version, columns, stored):
        raise Conflict("The run changed at the same moment; try again.")
    crash.point("state.changed")
    states.add(session, [states.row(run.id, version, attempt, change, name) for version, change in numbered])
    _announce(session, [(run.id, version, change) for version, change in numbered[:-1]], actor, now)
    if changes:
        news = {run.id: crash_loops.news(session, run, changes[-1])}
        _announce(session, [(run.id, run.version + len(changes), changes[-1])], actor, now, news)
        known_failures.follow(session, run, changes[-1], actor, now)
    if stored.rows or stored.log_rows:
        quotas.add(session, run, stored)


def _announce(
    session: Session,
    changes: list[tuple[UUID, int, StateChange]],
    actor: Actor,
    now: datetime,
    news: Mapping[UUID, MoreNews] = MappingProxyType({}),
) -> None:
    items = [
        (id, StateNews(type=change.type, name=change.name, version=version, **news.get(id, {})))
        for id, version, change in changes
    ]
    announce_all(session, "flow_run", "flow_run.state", items, actor, now)


def _handed_back(state: StateChange) -> FlowRunColumns:
    """The columns of a run whose attempt ended in this state without ending the run: nobody owns it.

    Its token still opens the run protocol until the next claim, for the one answer that may have been lost.
    """
    text = (state.data or {}).get("start_time")
    start = _time(text) if text is not None else None
    if start is None and resumes_alone(state.type):
        start = state.at
    columns: FlowRunColumns = {"agent_id": None, "lease_expires_at": None}
    return columns if start is None else columns | states.due(start)


def _time(text: str) -> datetime:
    """A time that a run has reported; raises Invalid."""
    try:
        return clock.parse(text)
    except (TypeError, ValueError, OverflowError) as error:
        raise Invalid("The start time of a state must be ISO 8601 with an offset.") from error
