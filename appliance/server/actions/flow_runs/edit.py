"""Edit: change name, labels, priority or time of a run that has not started."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.server.actions.flow_runs.change import Change, ChangeRequest, once, store
from appliance.server.actions.names import labels_of, required_name
from appliance.server.auth.identity import Actor
from appliance.server.db.rows.flow_runs import FlowRunColumns, LockedRun
from appliance.server.db.session import Database
from appliance.server.domain.transitions import PAUSED, SCHEDULED, Proposed
from appliance.server.errors import Conflict, Invalid

HIGHEST_PRIORITY = 1_000


@dataclass(frozen=True)
class Edit:
    """What is to change; None leaves it as it is."""

    name: str | None = None
    labels: list[str] | None = None
    priority: int | None = None
    scheduled_time: datetime | None = None

    def columns(self) -> FlowRunColumns:
        """The columns of the run; raises Invalid for values that can't be used, or when there is nothing to change."""
        values: FlowRunColumns = {}
        if self.name is not None:
            values["name"] = required_name(self.name, "run")
        if self.labels is not None:
            values["labels"] = labels_of(self.labels)
        if self.priority is not None:
            if not -HIGHEST_PRIORITY <= self.priority <= HIGHEST_PRIORITY:
                raise Invalid(f"The priority must be a number from -{HIGHEST_PRIORITY} to {HIGHEST_PRIORITY}.")
            values["priority"] = self.priority
        if self.scheduled_time is not None:
            if self.scheduled_time.tzinfo is None:
                raise Invalid("The scheduled time must have an offset, like 2026-01-31T06:30:00+00:00.")
            values["scheduled_time"] = self.scheduled_time
        if not values:
            raise Invalid("Name what to change: name, labels, priority or scheduled_time.")
        return values


def edit_run(
    db: Database,
    actor: Actor,
    flow_run_id: UUID,
    wanted: Edit,
    request: ChangeRequest | None = None,
    *,
    now: datetime | None = None,
) -> UUID:
    """Change name, labels, priority or time of a run that has not started."""
    request = request or ChangeRequest()
    return once(db, flow_run_id, request, now, change(actor, request, wanted), "edit")


def change(actor: Actor, request: ChangeRequest, wanted: Edit) -> Change:
    """`edit` as a change inside a transaction. Raises Invalid."""
    values = wanted.columns()

    def apply(session: Session, run: LockedRun, now: datetime) -> None:
        if run.attempt or run.state_type not in (SCHEDULED, PAUSED):
            raise Conflict(f"The run is {run.state_name} and has started; only a run that has not can be edited.")
        name = "Scheduled" if run.state_name == "Late" else run.state_name  # by its new time it may be late no more
        message = request.message(f"Edited ({', '.join(sorted(values))})", actor)
        store(session, run, Proposed(run.state_type, name), message, request, actor, now, values)

    return apply
