"""Mark: set by hand how a run, or one of its task runs, ended. Never while the run is live."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from msgspec import structs
from sqlalchemy.orm import Session

from appliance.kit.documents import JsonDocument
from appliance.protocol.flow_runs import MarkFlowRun
from appliance.protocol.state_change import StateChange
from appliance.server.actions.flow_runs.change import Change, alone, history_data, history_message, permit, store
from appliance.server.actions.keyed import keyed
from appliance.server.actions.states import close_tasks, facts_of, move_tasks
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import task_runs as read_task_runs
from appliance.server.db.rows.flow_runs import FlowRunColumns, LockedRun
from appliance.server.db.rows.task_runs import ClearedColumns, TaskRunResult
from appliance.server.db.session import Database
from appliance.server.domain.transitions import CANCELLED, Accept
from appliance.server.domain.verbs import MARKS, TASK_MARKS, attempt_of_mark, has_result
from appliance.server.errors import Invalid, NotFound
from appliance.server.events.outbox import announce


@keyed("flow_run.mark")
def mark_run(
    db: Database, actor: Actor, flow_run_id: UUID, request: MarkFlowRun, *, now: datetime | None = None
) -> UUID:
    """Set how a run that is not live ended, or, when the request names a task, one of its task runs."""
    return alone(db, flow_run_id, now, change(actor, request), "mark")


def change(actor: Actor, request: MarkFlowRun) -> Change:
    """`mark` as a change inside a transaction. Raises Invalid for a state that can't be marked."""
    return _of_run(actor, request) if request.task_slug is None else _of_task(actor, request, request.task_slug)


def _of_run(actor: Actor, request: MarkFlowRun) -> Change:
    """A run that had ended differently gets a new attempt, so that the earlier end stays on record."""
    target = _target(request.state, MARKS)

    def apply(session: Session, run: LockedRun, now: datetime) -> None:
        if permit("mark", run, request, target) is None:
            return
        columns: FlowRunColumns = {"attempt": attempt_of_mark(facts_of(run)), "end_time": run.end_time or now}
        store(session, run, _change(target, actor, request, now), request, actor, columns, new_attempt="mark")
        close_tasks(session, run, CANCELLED, now)

    return apply


def _of_task(actor: Actor, request: MarkFlowRun, task_slug: str) -> Change:
    """The run itself stays as it is; restart or resume it to continue from there. A success without a stored result has the value
    None for what comes after it."""
    target, map_index = _target(request.state, TASK_MARKS), request.map_index

    def apply(session: Session, run: LockedRun, now: datetime) -> None:
        permit("mark_task", run, request)
        task = read_task_runs.find(session, run.id, task_slug, map_index)
        if task is None:
            which = task_slug if map_index < 0 else f"{task_slug}[{map_index}]"
            raise NotFound(f"The run has no task run {which}; `appliance get task-runs` lists them.")
        columns: ClearedColumns = {"end_time": task.end_time or now}
        if has_result(target) and task.result_location is None:
            columns["result_location"] = ""
        data = _result_data(task) | {"marked": True} | (history_data(request) or {})
        change = structs.replace(_change(target, actor, request, now), data=data)
        move_tasks(session, run, [task.id], change, **columns)
        announce(session, "flow_run", run.id, "flow_run.progress", {"version": run.version}, actor, now)

    return apply


def _target(state: str, marks: Mapping[str, Accept]) -> Accept:
    if state not in marks:
        raise Invalid(f"A run can be marked as {', '.join(marks)}, not as {state!r}.")
    return marks[state]


def _change(target: Accept, actor: Actor, request: MarkFlowRun, now: datetime) -> StateChange:
    return target.change(now, history_message(f"Marked as {target.name}", actor, request.reason))


def _result_data(task: TaskRunResult) -> JsonDocument:
    """What stays true of the task's result."""
    data = task.state_data or {}
    return {name: data[name] for name in ("result_sha256", "result_place") if data.get(name) is not None}
