"""Mark: set by hand how a run, or one of its task runs, ended. Never while the run is live."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.protocol.flow_runs import MarkFlowRun
from appliance.protocol.states import TERMINAL
from appliance.server.actions.flow_runs.change import Change, checked, history_message, once, task_state
from appliance.server.actions.states import close_tasks, store_state
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import task_runs as read_task_runs
from appliance.server.db.rows.flow_runs import FlowRunColumns, LockedRun
from appliance.server.db.rows.task_runs import ClearedColumns
from appliance.server.db.session import Database
from appliance.server.db.writes import task_runs
from appliance.server.domain.transitions import LIVE, Proposed
from appliance.server.errors import Conflict, Invalid, NotFound
from appliance.server.events.outbox import announce

RUN_STATES = {
    "Success": "SUCCESS",
    "Failed": "FAILED",
    "Cancelled": "CANCELLED",
    "Skipped": "CANCELLED",  # as a run that its schedule's overlap policy skips: nothing of it has run
}


TASK_STATES = RUN_STATES | {"Skipped": "SUCCESS"}
"""What may be marked, by the state's name."""


def mark_run(
    db: Database, actor: Actor, flow_run_id: UUID, request: MarkFlowRun, *, now: datetime | None = None
) -> UUID:
    """Set how a run that is not live ended, or, when the request names a task, one of its task runs."""
    return once(db, flow_run_id, request, now, change(actor, request), "mark")


def change(actor: Actor, request: MarkFlowRun) -> Change:
    """`mark` as a change inside a transaction. Raises Invalid for a state that can't be marked."""
    return _of_run(actor, request) if request.task_slug is None else _of_task(actor, request, request.task_slug)


def _of_run(actor: Actor, request: MarkFlowRun) -> Change:
    """A run that had ended otherwise gets a new attempt, so that what has ended stays as it was."""
    state, type = request.state, _type_of(request.state, RUN_STATES)

    def apply(session: Session, run: LockedRun, now: datetime) -> None:
        if run.state_name == state and run.state_type == type:
            return
        checked(run, request, Proposed(type, state, mark=True))
        attempt = run.attempt + 1 if run.state_type in TERMINAL else run.attempt
        data = None if request.idempotency_key is None else {"idempotency_key": request.idempotency_key}
        extra: FlowRunColumns = {"attempt": attempt, "end_time": run.end_time or now, "lease_expires_at": None}
        message = history_message(f"Marked as {state}", actor, request.reason)
        store_state(session, run, type, state, message, data, actor, now, extra, attempt=attempt)
        close_tasks(session, run, "CANCELLED", now)

    return apply


def _of_task(actor: Actor, request: MarkFlowRun, task_slug: str) -> Change:
    """The run itself stays as it is; restart or resume it to continue from there. A success without a stored result has the value
    None for what comes after it."""
    state, type, map_index = request.state, _type_of(request.state, TASK_STATES), request.map_index

    def apply(session: Session, run: LockedRun, now: datetime) -> None:
        if run.state_type in LIVE:
            raise Conflict(f"The run is {run.state_name}; cancel it first, then mark its task.")
        row = read_task_runs.find(session, run.id, task_slug, map_index)
        if row is None:
            which = task_slug if map_index < 0 else f"{task_slug}[{map_index}]"
            raise NotFound(f"The run has no task run {which}; `appliance get task-runs` lists them.")
        key = request.idempotency_key
        if key is not None and any(
            data.get("idempotency_key") == key for data in read_task_runs.recorded_data(session, row.id)
        ):
            return
        others: ClearedColumns = {"end_time": row.end_time or now}
        if type == "SUCCESS" and row.result_location is None:
            others["result_location"] = ""
        sha256 = (row.state_data or {}).get("result_sha256")
        data = {"result_sha256": sha256, "idempotency_key": key}
        new = task_state(type, state, history_message(f"Marked as {state}", actor, request.reason), now)
        new["data"] = {name: value for name, value in data.items() if value is not None} or None
        task_runs.move(session, [row.id], new, **others)
        announce(session, "flow_run", run.id, "flow_run.progress", {"version": run.version}, actor, now)

    return apply


def _type_of(state: str, known: dict[str, str]) -> str:
    if state not in known:
        raise Invalid(f"A run can be marked as {', '.join(known)}, not as {state!r}.")
    return known[state]
