"""Restart: run again what failed in a run that has ended, and everything downstream of it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.protocol.flow_runs import RestartFlowRun
from appliance.server.actions import continuation, run_configs
from appliance.server.actions.flow_runs.change import FREE, Change, alone, history_message, permit, store
from appliance.server.actions.flow_runs.new_runs import merge_parameters
from appliance.server.actions.keyed import keyed
from appliance.server.actions.states import run_again
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import mapped_flows
from appliance.server.db.rows.flow_runs import FlowRunColumns, LockedRun
from appliance.server.db.session import Database
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.writes import child_runs, states
from appliance.server.domain.automation_acts import context_of
from appliance.server.errors import Conflict

_MOVED = ("failed", "chosen", "downstream", "elsewhere")
"""Why task runs run again of which the next attempt must not find the result."""


@keyed("flow_run.restart")
def restart_run(
    db: Database, actor: Actor, flow_run_id: UUID, request: RestartFlowRun | None = None, *, now: datetime | None = None
) -> UUID:
    """Run again, as a new attempt, what did not succeed in a run that has ended, the task named in the request, and everything
    downstream of them. The results of all other tasks are reused, as far as the agent that takes the run can read them."""
    request = request or RestartFlowRun()
    return alone(db, flow_run_id, now, change(actor, request))


def change(actor: Actor, request: RestartFlowRun, verb: Literal["restart", "restart_child"] = "restart") -> Change:
    """`restart` as a change inside a transaction."""

    def apply(session: Session, run: LockedRun, now: datetime) -> None:
        state = permit(verb, run, request)
        if state is None:
            return
        plan, stored = continuation.to_restart(session, run, request)
        if plan.refusal:
            raise Conflict(plan.refusal)
        fresh: FlowRunColumns = {"end_time": None, "times_resurrected": 0, "results_at": plan.place}
        fresh["context"] = context_of(actor.chain)
        columns = FREE | states.due(now) | fresh | _changed_columns(session, run, request)
        action = "Restarted" if request.from_task is None else f"Restarted from {request.from_task}"
        change = state.change(now, history_message(action, actor, request.reason))
        store(session, run, change, request, actor, columns, new_attempt="restart")
        again = sorted(key for key in plan.runs if key in stored and plan.runs[key] in _MOVED)
        child_runs.note_failures(session, run.id)
        run_again(session, run, [stored[key].id for key in again], "the run was restarted", now)

    return apply


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
