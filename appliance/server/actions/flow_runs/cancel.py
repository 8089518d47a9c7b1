"""Cancel: end a run; if a process works on it, that is told to stop first."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.protocol.flow_runs import ChangeFlowRun
from appliance.protocol.states import TERMINAL
from appliance.server.actions.flow_runs.change import Change, once, store
from appliance.server.actions.states import close_tasks
from appliance.server.auth.identity import Actor
from appliance.server.db.rows.flow_runs import FlowRunColumns, LockedRun
from appliance.server.db.session import Database
from appliance.server.domain.sanitize import clean
from appliance.server.domain.transitions import LIVE, Proposed
from appliance.server.errors import Conflict


def cancel_run(
    db: Database, actor: Actor, flow_run_id: UUID, request: ChangeFlowRun | None = None, *, now: datetime | None = None
) -> UUID:
    """Cancel a run: at once when nothing of it runs, else its process is told to stop. Cancelling again changes nothing."""
    request = request or ChangeFlowRun()
    return once(db, flow_run_id, request, now, change(actor, request), "cancel")


def change(actor: Actor, request: ChangeFlowRun) -> Change:
    """`cancel` as a change inside a transaction."""

    def apply(session: Session, run: LockedRun, now: datetime) -> None:
        if run.state_type in ("CANCELLING", "CANCELLED"):
            return
        if run.state_type in TERMINAL:
            raise Conflict(f"The run can't be cancelled, because it has already ended as {run.state_name}.")
        message = clean(request.reason).strip() or f"Cancelled by {actor.name}."
        extra: FlowRunColumns = {"cancel_requested": True}
        if run.state_type not in LIVE:
            extra |= {"end_time": now, "lease_expires_at": None}
        type = store(session, run, Proposed("CANCELLED", "Cancelled"), message, request, actor, now, extra)
        if type in TERMINAL:
            close_tasks(session, run, type, now)

    return apply
