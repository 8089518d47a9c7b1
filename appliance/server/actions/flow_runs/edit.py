"""Edit: change name, labels, priority or time of a run that has not started."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.protocol.flow_runs import EditFlowRun
from appliance.server.actions.flow_runs.change import Change, alone, history_message, permit, store
from appliance.server.actions.keyed import keyed
from appliance.server.actions.names import labels_of, required_name
from appliance.server.auth.identity import Actor
from appliance.server.db.rows.flow_runs import FlowRunColumns, LockedRun
from appliance.server.db.session import Database
from appliance.server.errors import Invalid

HIGHEST_PRIORITY = 1_000


@keyed("flow_run.edit")
def edit_run(
    db: Database, actor: Actor, flow_run_id: UUID, request: EditFlowRun, *, now: datetime | None = None
) -> UUID:
    """Change name, labels, priority or time of a run that has not started."""
    return alone(db, flow_run_id, now, change(actor, request), "edit")


def change(actor: Actor, request: EditFlowRun) -> Change:
    """`edit` as a change inside a transaction. Raises Invalid for values that can't be used."""
    columns = _columns(request)

    def apply(session: Session, run: LockedRun, now: datetime) -> None:
        state = permit("edit", run, request)
        if state is not None:
            message = history_message(f"Edited ({', '.join(sorted(columns))})", actor, request.reason)
            store(session, run, state.change(now, message), request, actor, columns)

    return apply


def _columns(request: EditFlowRun) -> FlowRunColumns:
    """The columns of the run to set; raises Invalid for values that can't be used, or when there is nothing to change."""
    values: FlowRunColumns = {}
    if request.name is not None:
        values["name"] = required_name(request.name, "run")
    if request.labels is not None:
        values["labels"] = labels_of(request.labels)
    if request.priority is not None:
        if not -HIGHEST_PRIORITY <= request.priority <= HIGHEST_PRIORITY:
            raise Invalid(f"The priority must be a number from -{HIGHEST_PRIORITY} to {HIGHEST_PRIORITY}.")
        values["priority"] = request.priority
    if request.scheduled_time is not None:
        if request.scheduled_time.tzinfo is None:
            raise Invalid("The scheduled time must have an offset, like 2026-01-31T06:30:00+00:00.")
        values["scheduled_time"] = request.scheduled_time
    if not values:
        raise Invalid("Name what to change: name, labels, priority or scheduled_time.")
    return values
