"""Restart: run again what failed in a run that has ended, and everything downstream of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import suggestions
from appliance.kit.documents import JsonDocument
from appliance.protocol.flow_runs import RestartFlowRun
from appliance.protocol.state_change import StateChange
from appliance.protocol.states import StateType
from appliance.server.actions import run_configs
from appliance.server.actions.flow_runs.change import FREE, Change, alone, history_message, permit, store
from appliance.server.actions.flow_runs.new_runs import merge_parameters
from appliance.server.actions.keyed import keyed
from appliance.server.actions.states import move_tasks
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import flows, mapped_flows
from appliance.server.db.reads import task_runs as read_task_runs
from appliance.server.db.rows.flow_runs import FlowRunColumns, LockedRun
from appliance.server.db.rows.task_runs import ClearedColumns
from appliance.server.db.session import Database
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.writes import states
from appliance.server.domain.restart import TaskKey, nothing_failed, to_run_again
from appliance.server.domain.transitions import PENDING
from appliance.server.errors import Conflict, Invalid


@keyed("flow_run.restart")
def restart_run(
    db: Database, actor: Actor, flow_run_id: UUID, request: RestartFlowRun | None = None, *, now: datetime | None = None
) -> UUID:
    """Run again, as a new attempt, what did not succeed in a run that has ended, the task named in the request, and everything
    downstream of them. The results of all other tasks are reused."""
    request = request or RestartFlowRun()
    return alone(db, flow_run_id, now, change(actor, request))


def change(actor: Actor, request: RestartFlowRun) -> Change:
    """`restart` as a change inside a transaction."""

    def apply(session: Session, run: LockedRun, now: datetime) -> None:
        state = permit("restart", run, request)
        if state is None:
            return
        recorded = read_task_runs.types_of(session, run.id)
        again = _tasks_to_run_again(session, run, request, recorded)
        fresh: FlowRunColumns = {"end_time": None, "times_resurrected": 0}
        columns = FREE | states.due(now) | fresh | _changed_columns(session, run, request)
        action = "Restarted" if request.from_task is None else f"Restarted from {request.from_task}"
        change = state.change(now, history_message(action, actor, request.reason))
        store(session, run, change, request, actor, columns, new_attempt="restart")
        pending = StateChange(PENDING, "Pending", now, "Runs again, because the run was restarted.")
        cleared: ClearedColumns = {"run_count": 0, "result_location": None, "start_time": None, "end_time": None}
        move_tasks(session, run, [recorded[key][0] for key in sorted(again)], pending, **cleared)

    return apply


def _tasks_to_run_again(
    session: Session, run: LockedRun, request: RestartFlowRun, recorded: Mapping[TaskKey, tuple[UUID, StateType]]
) -> set[TaskKey]:
    """The task runs to run again; raises Conflict when there is nothing to restart."""
    if session.get_one(Flow, run.flow_id).archived:
        raise Conflict("The run's flow is archived; take it out of the archive to restart the run.")
    graph = flows.graph_of(session, run.flow_version_id)
    if request.from_task is not None:
        _require_task(graph, request.from_task)
    types = {key: type for key, (_, type) in recorded.items()}
    again = to_run_again(graph.get("edges", []), types, request.from_task)
    if nothing_failed(run.state_type, again, request.from_task):
        raise Conflict(
            "No task of the run has failed; name the task to restart from, or create a new run to run all of it again."
        )
    return again


def _require_task(graph: JsonDocument, slug: str) -> None:
    slugs = [task["slug"] for task in graph.get("tasks", [])]
    if slug not in slugs:
        close = suggestions.closest(slug, slugs)
        hint = f"did you mean {close!r}?" if close is not None else "look at the list of its tasks."
        raise Invalid(f"The run's flow has no task {slug[:80]!r}; {hint}")


def _changed_columns(session: Session, run: LockedRun, request: RestartFlowRun) -> FlowRunColumns:
    """The columns that change with another version or other parameters. Raises Invalid when the parameters don't fit."""
    if not request.newest_version and not request.parameters:
        return {}
    flow, row = session.get_one(Flow, run.flow_id), session.get_one(FlowRun, run.id)
    own = session.get_one(FlowVersion, run.flow_version_id)
    version = mapped_flows.newest_version(session, run.flow_id) if request.newest_version else own
    assert version is not None
    columns: FlowRunColumns = {"parameters": merge_parameters(flow, version, {**row.parameters, **request.parameters})}
    if version is own:
        return columns
    return columns | {"flow_version_id": version.id, "run_config": run_configs.moved(flow, version, row.overrides)}
