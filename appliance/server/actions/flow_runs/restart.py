"""Restart: run again what failed in a run that has ended, and everything downstream of it."""

from __future__ import annotations

from datetime import datetime
from difflib import get_close_matches
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit.documents import JsonDocument
from appliance.protocol.flow_runs import RestartFlowRun
from appliance.protocol.states import TERMINAL, StateType
from appliance.server.actions.flow_runs.change import FREE, Change, history_message, once, store, task_state
from appliance.server.actions.flow_runs.new_runs import checked_parameters, run_config_of
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import flows, mapped_flows
from appliance.server.db.reads import task_runs as read_task_runs
from appliance.server.db.rows.flow_runs import FlowRunColumns, LockedRun
from appliance.server.db.rows.task_runs import ClearedColumns
from appliance.server.db.session import Database
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.writes import states, task_runs
from appliance.server.domain.restart import to_run_again
from appliance.server.domain.transitions import PAUSED, SCHEDULED, Proposed
from appliance.server.errors import Conflict, Invalid


def restart_run(
    db: Database, actor: Actor, flow_run_id: UUID, request: RestartFlowRun | None = None, *, now: datetime | None = None
) -> UUID:
    """Run again, as a new attempt, what did not succeed in a run that has ended, the task named in the request, and everything
    downstream of them. The results of all other tasks are reused."""
    request = request or RestartFlowRun()
    return once(db, flow_run_id, request, now, change(actor, request))


def change(actor: Actor, request: RestartFlowRun) -> Change:
    """`restart` as a change inside a transaction."""

    def apply(session: Session, run: LockedRun, now: datetime) -> None:
        known = read_task_runs.types_of(session, run.id)
        again = _may_restart(session, run, request, known)
        extra = FREE | states.due(now) | {"end_time": None, "times_resurrected": 0} | _changed(session, run, request)
        done = "Restarted" if request.from_task is None else f"Restarted from {request.from_task}"
        proposed = Proposed(SCHEDULED, "Scheduled", restart=True)
        store(session, run, proposed, history_message(done, actor, request.reason), request, actor, now, extra)
        pending = task_state("PENDING", "Pending", "To run again, since the run was restarted.", now)
        cleared: ClearedColumns = {"run_count": 0, "result_location": None, "start_time": None, "end_time": None}
        task_runs.move(session, [known[key][0] for key in sorted(again)], pending, **cleared)

    return apply


def _may_restart(
    session: Session, run: LockedRun, request: RestartFlowRun, known: dict[tuple[str, int], tuple[UUID, StateType]]
) -> set[tuple[str, int]]:
    """The task runs to run again; raises Conflict when the run is not one to restart."""
    if run.state_type not in TERMINAL:
        raise Conflict(_not_ended(run))
    if run.attempt == 0:
        raise Conflict("The run never started, so there is nothing to restart; create a new run.")
    if session.get_one(Flow, run.flow_id).archived:
        raise Conflict("The run's flow is archived; take it out of the archive to restart the run.")
    graph = flows.graph_of(session, run.flow_version_id)
    if request.from_task is not None:
        _require_task(graph, request.from_task)
    again = to_run_again(graph.get("edges", []), {key: type for key, (_, type) in known.items()}, request.from_task)
    if run.state_type == "SUCCESS" and not again and request.from_task is None:
        raise Conflict(
            "Nothing of the run has failed; name the task to restart from, or create a new run to run all of it again."
        )
    return again


def _require_task(graph: JsonDocument, slug: str) -> None:
    slugs = [task["slug"] for task in graph.get("tasks", [])]
    if slug not in slugs:
        close = get_close_matches(slug, slugs, 1)
        hint = f"did you mean {close[0]!r}?" if close else "look at the list of its tasks."
        raise Invalid(f"The run's flow has no task {slug!r}; {hint}")


def _changed(session: Session, run: LockedRun, request: RestartFlowRun) -> FlowRunColumns:
    """The columns that change with another version or other parameters. Raises Invalid when the parameters don't fit."""
    if not request.newest_version and not request.parameters:
        return {}
    flow, row = session.get_one(Flow, run.flow_id), session.get_one(FlowRun, run.id)
    own = session.get_one(FlowVersion, run.flow_version_id)
    version = mapped_flows.newest_version(session, run.flow_id) if request.newest_version else own
    assert version is not None
    values: FlowRunColumns = {"parameters": checked_parameters(flow, version, {**row.parameters, **request.parameters})}
    if version is own:
        return values
    return values | {"flow_version_id": version.id, "run_config": run_config_of(flow, version)}


def _not_ended(run: LockedRun) -> str:
    if run.state_type == PAUSED:
        return "The run is paused, not over; resume it instead."
    if run.state_type == SCHEDULED:
        return "The run waits for its time, so there is nothing to restart; it starts by itself."
    return f"The run is still {run.state_name}; wait for its end, or cancel it first."
