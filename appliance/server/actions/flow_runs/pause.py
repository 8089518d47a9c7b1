"""Pause: hold a scheduled run until a person resumes it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.protocol.flow_runs import ChangeFlowRun
from appliance.server.actions.flow_runs.change import Change, alone, history_message, permit, store
from appliance.server.actions.keyed import keyed
from appliance.server.auth.identity import Actor
from appliance.server.db.rows.flow_runs import LockedRun
from appliance.server.db.session import Database


@keyed("flow_run.pause")
def pause_run(
    db: Database, actor: Actor, flow_run_id: UUID, request: ChangeFlowRun | None = None, *, now: datetime | None = None
) -> UUID:
    """Hold a scheduled run until a person resumes it. Pausing again changes nothing."""
    request = request or ChangeFlowRun()
    return alone(db, flow_run_id, now, change(actor, request))


def change(actor: Actor, request: ChangeFlowRun) -> Change:
    """`pause` as a change inside a transaction."""

    def apply(session: Session, run: LockedRun, now: datetime) -> None:
        state = permit("pause", run, request)
        if state is not None:
            message = history_message("Paused", actor, request.reason)
            store(session, run, state.change(now, message), request, actor)

    return apply
