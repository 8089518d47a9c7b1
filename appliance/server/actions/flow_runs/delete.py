"""Delete: remove a run that has ended or has not started, with everything that belongs to it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.protocol.flow_runs import ChangeFlowRun
from appliance.server.actions.flow_runs.change import Change, alone, history_message, permit
from appliance.server.actions.keyed import keyed
from appliance.server.auth.identity import Actor
from appliance.server.db.rows.flow_runs import LockedRun
from appliance.server.db.rows.schedules import NewSkip
from appliance.server.db.session import Database
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.tables.schedules import Schedule
from appliance.server.db.writes import flow_runs, schedules
from appliance.server.domain.scheduling import DELETED
from appliance.server.events.outbox import announce


@keyed("flow_run.delete")
def delete_run(
    db: Database, actor: Actor, flow_run_id: UUID, request: ChangeFlowRun | None = None, *, now: datetime | None = None
) -> UUID:
    """Delete a run that has ended or that waits for its time, with its task runs, states and logs."""
    return alone(db, flow_run_id, now, change(actor, request or ChangeFlowRun()), "delete")


def change(actor: Actor, request: ChangeFlowRun) -> Change:
    """`delete` as a change inside a transaction. Of a due time that never ran, a skip stays, so that no run is made for it again."""

    def apply(session: Session, run: LockedRun, now: datetime) -> None:
        permit("delete", run, request)
        row = session.get_one(FlowRun, run.id)
        message = history_message("Deleted", actor, request.reason)
        if row.schedule_id is not None and row.due_at is not None and (row.due_at > now or run.start_time is None):
            _skip(session, row, message, now)
        session.expunge(row)
        flow_runs.delete_one(session, run.id, now)
        data = {"name": run.name, "state": run.state_name, "reason": message, "flow_id": str(run.flow_id)}
        announce(session, "flow_run", run.id, "flow_run.deleted", data, actor, now)

    return apply


def _skip(session: Session, row: FlowRun, reason: str, now: datetime) -> None:
    assert row.schedule_id is not None and row.due_at is not None
    schedule = session.get_one(Schedule, row.schedule_id)
    skip = NewSkip(
        schedule_id=schedule.id,
        version=schedule.version,
        first=row.due_at,
        last=row.due_at,
        count=1,
        code=DELETED,
        reason=reason,
        at=now,
    )
    schedules.add_skips(session, [skip])
