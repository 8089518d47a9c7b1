"""Start now: a scheduled run is due at once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.protocol.flow_runs import ChangeFlowRun
from appliance.protocol.state_change import StateChange
from appliance.server.actions.flow_runs.change import Change, alone, history_message, permit, store
from appliance.server.actions.keyed import keyed
from appliance.server.actions.states import move_tasks
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import task_runs as read_task_runs
from appliance.server.db.rows.flow_runs import FlowRunColumns, LockedRun
from appliance.server.db.session import Database
from appliance.server.db.writes import states
from appliance.server.domain.transitions import SCHEDULED


@keyed("flow_run.start_now")
def start_run_now(
    db: Database, actor: Actor, flow_run_id: UUID, request: ChangeFlowRun | None = None, *, now: datetime | None = None
) -> UUID:
    """Make a scheduled run due now, also one whose task waits for its retry."""
    request = request or ChangeFlowRun()
    return alone(db, flow_run_id, now, change(actor, request), "start_now")


def change(actor: Actor, request: ChangeFlowRun) -> Change:
    """`start_now` as a change inside a transaction."""

    def apply(session: Session, run: LockedRun, now: datetime) -> None:
        state = permit("start_now", run, request)
        if state is None:
            return
        message = history_message("Started now", actor, request.reason)
        columns: FlowRunColumns = states.due(now) if run.attempt else {"scheduled_time": now}
        store(session, run, state.change(now, message), request, actor, columns)
        for task in read_task_runs.with_times(session, run.id):
            data = task.state_data | {"start_time": clock.isoformat(now)}
            move_tasks(session, run, [task.id], StateChange(SCHEDULED, task.state_name, now, message, data))

    return apply
