"""A change of one run by a person or a script: with a reason, once per idempotency key; alone, or as one of many in a transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.protocol.flow_runs import ChangeFlowRun
from appliance.server.actions.names import idempotency_key
from appliance.server.actions.states import store_state
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import states as read_states
from appliance.server.db.retries import retried
from appliance.server.db.rows.flow_runs import FlowRunColumns, LockedRun
from appliance.server.db.rows.task_runs import TaskState
from appliance.server.db.session import Database
from appliance.server.db.writes import states
from appliance.server.domain.sanitize import clean
from appliance.server.domain.transitions import Facts, Proposed, Refuse, Wait, decide
from appliance.server.errors import Conflict, NotFound

FREE: FlowRunColumns = {"agent_id": None, "lease_expires_at": None, "run_token_hash": None, "cancel_requested": False}
"""The columns of a run that nobody works on."""


Change = Callable[[Session, LockedRun, datetime], None]
"""One change of one run, which is given as a row of `states.lock`, inside a transaction. Raises Conflict or Invalid before it
has written anything."""


def history_message(done: str, actor: Actor, reason: str) -> str:
    """What the run's history says about a change: what was done, by whom and why."""
    reason = clean(reason).strip()
    return f"{done} by {actor.name}: {reason}" if reason else f"{done} by {actor.name}."


@retried
def once(
    db: Database, flow_run_id: UUID, request: ChangeFlowRun, now: datetime | None, change: Change, name: str = "attempt"
) -> UUID:
    """Do it in a transaction of its own, unless it was done before under the same key. `name` is for its crash points."""
    with db.write(name) as session:
        once_within(session, flow_run_id, request, now or clock.now(), change)
        return flow_run_id


def once_within(session: Session, flow_run_id: UUID, request: ChangeFlowRun, now: datetime, change: Change) -> None:
    """The same inside another action's transaction."""
    key = idempotency_key(request.idempotency_key)
    run = states.lock(session, flow_run_id)
    if run is None:
        raise NotFound("There is no such run; it may have been deleted.")
    if key is not None and any(
        data.get("idempotency_key") == key for data in read_states.data_of_flow_run(session, flow_run_id)
    ):
        return
    change(session, run, now)


def checked(run: LockedRun, request: ChangeFlowRun, proposed: Proposed) -> tuple[str, str]:
    """The type and name to store; raises Conflict with the sentence of the rules when it may not be."""
    facts = Facts(
        run.state_type, run.state_name, run.attempt, version=run.version, cancel_requested=run.cancel_requested
    )
    verdict = decide(facts, replace(proposed, seen=request.version))
    if isinstance(verdict, Refuse):
        raise Conflict(verdict.sentence)
    if isinstance(verdict, Wait):
        raise Conflict(verdict.reason)
    return verdict.type, verdict.name


def store(
    session: Session,
    run: LockedRun,
    proposed: Proposed,
    message: str,
    request: ChangeFlowRun,
    actor: Actor,
    now: datetime,
    extra: FlowRunColumns,
) -> str:
    """Check the transition and store it with the key; the type that was stored."""
    type, name = checked(run, request, proposed)
    data = None if request.idempotency_key is None else {"idempotency_key": request.idempotency_key}
    store_state(session, run, type, name, message, data, actor, now, extra)
    return type


def task_state(type: str, name: str, message: str, now: datetime) -> TaskState:
    """What `task_runs.move` gives to task runs."""
    return {"type": type, "name": name, "message": message, "data": None, "at": now}
