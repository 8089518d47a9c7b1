"""A change of one run by a person or a script: with a reason; alone, or as one of many in a transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import structs
from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.kit.documents import JsonDocument
from appliance.protocol.flow_runs import ChangeFlowRun
from appliance.protocol.state_change import StateChange
from appliance.server.actions.states import change_state, conflict, facts_of
from appliance.server.auth.identity import Actor
from appliance.server.db.rows.flow_runs import FlowRunColumns, LockedRun
from appliance.server.db.session import Database
from appliance.server.db.writes import states
from appliance.server.domain.sanitize import clean
from appliance.server.domain.transitions import Accept, Refuse
from appliance.server.domain.verbs import VerbName, may
from appliance.server.errors import NotFound

FREE: FlowRunColumns = {"agent_id": None, "lease_expires_at": None, "run_token_hash": None, "cancel_requested": False}
"""The columns of a run that no agent has."""

Change = Callable[[Session, LockedRun, datetime], None]
"""One change of one run inside a transaction. Raises Conflict or Invalid before it has written anything."""


def history_message(action: str, actor: Actor, reason: str) -> str:
    """What the run's history says about a change: the action in the past tense, who took it and why."""
    reason = clean(reason).strip()
    return f"{action} by {actor.name}: {reason}" if reason else f"{action} by {actor.name}."


def history_data(request: ChangeFlowRun) -> JsonDocument | None:
    """What the history keeps besides the message: under which key the change was made."""
    return None if request.idempotency_key is None else {"idempotency_key": request.idempotency_key}


def alone(db: Database, flow_run_id: UUID, now: datetime | None, change: Change, name: str = "attempt") -> UUID:
    """Make the change in a transaction of its own. `name` is for its crash points."""
    with db.write(name) as session:
        within(session, flow_run_id, now or clock.now(), change)
        return flow_run_id


def within(session: Session, flow_run_id: UUID, now: datetime, change: Change) -> None:
    """The same inside another action's transaction."""
    run = states.lock(session, flow_run_id)
    if run is None:
        raise NotFound("There is no such run; it may have been deleted.")
    change(session, run, now)


def permit(verb: VerbName, run: LockedRun, request: ChangeFlowRun, target: Accept | None = None) -> Accept | None:
    """The state that the verb leads to; None when there is nothing to change. Raises Conflict when the run is not in a state for it."""
    verdict = may(verb, facts_of(run), target=target, seen=request.version)
    if isinstance(verdict, Refuse):
        raise conflict(verdict)
    return verdict if isinstance(verdict, Accept) else None


def store(
    session: Session,
    run: LockedRun,
    change: StateChange,
    request: ChangeFlowRun,
    actor: Actor,
    columns: FlowRunColumns | None = None,
    *,
    new_attempt: Literal["restart", "mark"] | None = None,
) -> Accept:
    """Store the state with the request's key. `new_attempt`: the verb that may lead on from the end of a run."""
    change = structs.replace(change, data=history_data(request))
    restart, mark = new_attempt == "restart", new_attempt == "mark"
    return change_state(session, run, change, actor, columns, seen=request.version, restart=restart, mark=mark)
