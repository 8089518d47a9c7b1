"""Cancel: end a run; its process, if it has one, is asked to stop first."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.protocol.flow_runs import ChangeFlowRun
from appliance.server.actions.flow_runs.change import Change, alone, permit, store, within
from appliance.server.actions.keyed import keyed
from appliance.server.actions.states import close_tasks
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import child_runs
from appliance.server.db.rows.flow_runs import LockedRun
from appliance.server.db.session import Database
from appliance.server.domain.sanitize import clean


@keyed("flow_run.cancel")
def cancel_run(
    db: Database, actor: Actor, flow_run_id: UUID, request: ChangeFlowRun | None = None, *, now: datetime | None = None
) -> UUID:
    """Cancel a run: at once when it has no process, else the process is asked to stop. Cancelling again changes nothing."""
    request = request or ChangeFlowRun()
    return alone(db, flow_run_id, now, change(actor, request), "cancel")


def change(actor: Actor, request: ChangeFlowRun) -> Change:
    """`cancel` as a change inside a transaction."""

    def apply(session: Session, run: LockedRun, now: datetime) -> None:
        state = permit("cancel", run, request)
        if state is None:
            return
        message = clean(request.reason).strip() or f"Cancelled by {actor.name}."
        store(session, run, state.change(now, message), request, actor, {"cancel_requested": True})
        close_tasks(session, run, state.type, now)
        _cancel_children(session, run, actor, now)

    return apply


def _cancel_children(session: Session, run: LockedRun, actor: Actor, now: datetime) -> None:
    """Cancel the runs that tasks of this one have started and wait for. Runs don't start each other in a circle, so that this ends."""
    request = ChangeFlowRun(reason=f"Its parent run {run.name} was cancelled by {actor.name}.")
    for child in child_runs.awaited(session, run.id):
        within(session, child, now, change(actor, request))
