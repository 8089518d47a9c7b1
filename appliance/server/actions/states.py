"""Storing a flow run's state with its history and event, and closing what an attempt leaves behind. Inside another action's transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from appliance.kit import clock, crash
from appliance.kit.documents import JsonDocument
from appliance.server.auth.identity import Actor
from appliance.server.db.rows.events import StateNews
from appliance.server.db.rows.flow_runs import FlowRunColumns, LockedRun
from appliance.server.db.rows.states import NewState
from appliance.server.db.writes import states, task_runs
from appliance.server.domain.sanitize import clean
from appliance.server.domain.transitions import SCHEDULED
from appliance.server.errors import Conflict, Invalid
from appliance.server.events.outbox import announce


def store_state(
    session: Session,
    run: LockedRun,
    type: str,
    name: str,
    message: str,
    data: JsonDocument | None,
    actor: Actor,
    now: datetime,
    extra: FlowRunColumns,
    *,
    attempt: int | None = None,
) -> None:
    """Append the state and set the run's columns, where the run is still as `run` (a row of `states.lock`) saw it. `attempt` is
    that of the state, if the run gets a new one with it."""
    number = run.attempt if attempt is None else attempt
    state = states.row(run.id, run.version + 1, number, type, name, now, clean(actor.name, 200), message, data)
    if not states.change(session, run.id, run.version, states.columns(state) | extra):
        raise Conflict("The run changed at the same moment; try again.")
    crash.point("state.changed")
    states.add(session, [state])
    announce(
        session,
        "flow_run",
        run.id,
        "flow_run.state",
        StateNews(type=type, name=name, version=state["version"]),
        actor,
        now,
    )


def handed_back(state: NewState) -> FlowRunColumns:
    """The columns of a run whose attempt ended in this state (a history row) without ending the run: nobody owns it.

    Its token still opens the run protocol until the next claim, for the one answer that may have been lost.
    """
    given = (state["data"] or {}).get("start_time")
    start = moment(given) if given is not None else None
    columns: FlowRunColumns = {"agent_id": None, "lease_expires_at": None}
    if start is None and state["type"] == SCHEDULED:
        start = state["at"]
    return columns if start is None else columns | states.due(start)


def moment(text: Any) -> datetime:
    """A time that a run has reported; raises Invalid."""
    try:
        return clock.parse(text)
    except (TypeError, ValueError, OverflowError) as error:
        raise Invalid("The start time of a state must be ISO 8601 with an offset.") from error


def end_attempt(
    session: Session, run: LockedRun, crash_message: str, data: JsonDocument | None, actor: Actor, now: datetime
) -> str:
    """End an attempt whose process is gone: Cancelled when that was asked for, else Crashed; its unfinished tasks likewise."""
    if run.state_type == "CANCELLING":
        type, name, message = "CANCELLED", "Cancelled", "The run was stopped as asked."
    else:
        type, name, message = "FAILED", "Crashed", crash_message
    store_state(session, run, type, name, message, data, actor, now, {"end_time": now, "lease_expires_at": None})
    close_tasks(session, run, type, now)
    return type


def close_tasks(session: Session, run: LockedRun, ended_as: str, now: datetime) -> int:
    """Give the task runs that the attempt left unfinished an end of their own."""
    if ended_as == "FAILED":
        return task_runs.close(
            session, run.id, run.attempt, "FAILED", "Crashed", "The run ended before this task did.", now
        )
    return task_runs.close(
        session, run.id, run.attempt, "CANCELLED", "Cancelled", "The run ended before this task did.", now
    )
