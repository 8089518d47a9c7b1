"""Resume: let a paused run continue, or approve one of its paused tasks."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import structs
from sqlalchemy.orm import Session

from appliance.protocol.flow_runs import ResumeFlowRun
from appliance.protocol.state_change import StateChange
from appliance.server.actions import continuation
from appliance.server.actions.flow_runs.change import Change, alone, history_message, permit, store
from appliance.server.actions.keyed import keyed
from appliance.server.actions.states import change_state, facts_of, move_tasks, run_again
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import task_runs as read_task_runs
from appliance.server.db.rows.flow_runs import FlowRunColumns, LockedRun
from appliance.server.db.rows.task_runs import PausedTaskRun
from appliance.server.db.session import Database
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.writes import states
from appliance.server.domain.continuation import Plan
from appliance.server.domain.transitions import FIRST
from appliance.server.domain.verbs import due_when_resumed, waits_for_results
from appliance.server.errors import Conflict

_ANYWHERE = "the run continues anywhere, and its result can't be read everywhere"


@keyed("flow_run.resume")
def resume_run(
    db: Database, actor: Actor, flow_run_id: UUID, request: ResumeFlowRun | None = None, *, now: datetime | None = None
) -> UUID:
    """Continue a paused run, as a new attempt: with all of its paused tasks, or with the one named in the request."""
    request = request or ResumeFlowRun()
    return alone(db, flow_run_id, now, change(actor, request))


def change(actor: Actor, request: ResumeFlowRun) -> Change:
    """`resume` as a change inside a transaction."""
    task_slug, map_index = request.task_slug, request.map_index

    def apply(session: Session, run: LockedRun, now: datetime) -> None:
        if request.anywhere and waits_for_results(facts_of(run), session.get_one(FlowRun, run.id).results_at):
            _free(session, run, request, actor, now)
            return
        state = permit("resume" if task_slug is None else "resume_task", run, request)
        if state is None:
            return  # a second request, or a second person
        paused = read_task_runs.paused(session, run.id, task_slug, map_index)
        if task_slug is not None and not paused:
            which = task_slug if map_index is None else f"{task_slug}[{map_index}]"
            raise Conflict(f"The task {which} of this run is not paused; there is nothing to resume.")
        plan, stored = _planned(session, run, request)
        change = state.change(now, history_message("Resumed", actor, request.reason))
        _resume_tasks(session, run, paused, change)
        start = due_when_resumed(run.state_type, run.attempt, run.scheduled_time, now)
        name = state.name if paused else FIRST.name
        columns: FlowRunColumns = {"results_at": plan.place}
        store(session, run, structs.replace(change, name=name), request, actor, states.due(start) | columns)
        run_again(session, run, [stored[key].id for key in sorted(plan.elsewhere)], _ANYWHERE, now)

    return apply


def _planned(session: Session, run: LockedRun, request: ResumeFlowRun) -> tuple[Plan, continuation.Stored]:
    """How the run goes on. Raises Conflict when it must not."""
    plan, stored = continuation.to_resume(session, run, request)
    if plan.refusal:
        raise Conflict(plan.refusal)
    return plan, stored


def _free(session: Session, run: LockedRun, request: ResumeFlowRun, actor: Actor, now: datetime) -> None:
    """Let any agent take a run that waits for one that can read its results."""
    plan, stored = _planned(session, run, request)
    message = history_message("Allowed to continue anywhere", actor, request.reason)
    data = session.get_one(FlowRun, run.id).state_data
    state = StateChange(run.state_type, run.state_name, now, message, data)
    change_state(session, run, state, actor, {"results_at": None}, seen=request.version)
    run_again(session, run, [stored[key].id for key in sorted(plan.elsewhere)], _ANYWHERE, now)


def _resume_tasks(session: Session, run: LockedRun, paused: list[PausedTaskRun], change: StateChange) -> None:
    move_tasks(session, run, [task.id for task in paused if not task.state_data], change)
    for task in paused:
        if task.state_data:  # such as the round of a loop; the end of the pause is over
            data = {key: value for key, value in task.state_data.items() if key != "start_time"}
            move_tasks(session, run, [task.id], structs.replace(change, data=data))
