"""Resume: let a paused run continue, or approve one of its paused tasks."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.protocol.flow_runs import ResumeFlowRun
from appliance.server.actions.flow_runs.change import Change, history_message, once, store, task_state
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import task_runs as read_task_runs
from appliance.server.db.rows.flow_runs import LockedRun
from appliance.server.db.session import Database
from appliance.server.db.writes import states, task_runs
from appliance.server.domain.transitions import PAUSED, SCHEDULED, Proposed
from appliance.server.errors import Conflict


def resume_run(
    db: Database, actor: Actor, flow_run_id: UUID, request: ResumeFlowRun | None = None, *, now: datetime | None = None
) -> UUID:
    """Let a paused run go on, as a new attempt: with all of its paused tasks, or with the one that is named."""
    request = request or ResumeFlowRun()
    return once(db, flow_run_id, request, now, change(actor, request))


def change(actor: Actor, request: ResumeFlowRun) -> Change:
    """`resume` as a change inside a transaction."""
    task_slug, map_index = request.task_slug, request.map_index

    def apply(session: Session, run: LockedRun, now: datetime) -> None:
        if run.state_name == "Resume" and task_slug is None:
            return  # a second request, or a second person
        if run.state_type != PAUSED and run.state_name not in ("Paused", "Resume"):
            raise Conflict(f"The run is {run.state_name}, not paused; there is nothing to resume.")
        found = read_task_runs.paused(session, run.id, task_slug, map_index)
        if task_slug is not None and not found:
            which = task_slug if map_index is None else f"{task_slug}[{map_index}]"
            raise Conflict(f"The task {which} of this run is not paused; there is nothing to resume.")
        message = history_message("Resumed", actor, request.reason)
        resumed = task_state(SCHEDULED, "Resume", message, now)
        task_runs.move(session, [one.id for one in found if not one.state_data], resumed)
        for one in found:
            if one.state_data:  # such as the round of a loop; the end of the pause is over
                data = {key: value for key, value in one.state_data.items() if key != "start_time"}
                task_runs.move(session, [one.id], {**resumed, "data": data})
        start = max(run.scheduled_time, now) if run.state_type == PAUSED and run.attempt == 0 else now
        name = "Resume" if found else "Scheduled"
        store(session, run, Proposed(SCHEDULED, name), message, request, actor, now, states.due(start))

    return apply
