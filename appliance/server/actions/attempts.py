"""Letting a run go on by a person's word: resume what is paused, pause what is only scheduled, restart what has ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.core.protocol import TERMINAL
from appliance.kit import clock
from appliance.server.actions.creation import checked_parameters, run_config_of
from appliance.server.actions.endings import store_state
from appliance.server.actions.names import idempotency_key
from appliance.server.auth.identity import Actor
from appliance.server.db.session import Database
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.tables.flows import Flow
from appliance.server.db.writes import flows, states, task_runs
from appliance.server.domain.restarting import to_run_again
from appliance.server.domain.texts import clean
from appliance.server.domain.transitions import PAUSED, SCHEDULED, Accept, Facts, Proposed, decide
from appliance.server.errors import Conflict, NotFound

_FREE = {"agent_id": None, "lease_expires_at": None, "run_token_hash": None, "cancel_requested": False}


@dataclass(frozen=True)
class Asked:
    """Why a run is to change, and the key under which asking again changes nothing more."""

    reason: str = ""
    idempotency_key: str | None = None

    def message(self, done: str, actor: Actor) -> str:
        """What the run's history says of it."""
        reason = clean(self.reason).strip()
        return f"{done} by {actor.name}: {reason}" if reason else f"{done} by {actor.name}."


def pause(
    db: Database, actor: Actor, flow_run_id: UUID, asked: Asked | None = None, *, now: datetime | None = None
) -> UUID:
    """Hold a scheduled run until a person resumes it. Pausing again changes nothing."""
    asked = asked or Asked()

    def apply(session: Session, run: Any, now: datetime) -> None:
        if run.state_type == PAUSED:
            return
        if run.state_type != SCHEDULED:
            raise Conflict(
                f"The run is {run.state_name}; only a run that is scheduled can be paused. Cancel it to stop it."
            )
        _store(session, run, PAUSED, "Paused", asked.message("Paused", actor), asked, actor, now, {})

    return _once(db, flow_run_id, asked, now, apply)


def resume(
    db: Database,
    actor: Actor,
    flow_run_id: UUID,
    asked: Asked | None = None,
    *,
    task_slug: str | None = None,
    map_index: int | None = None,
    now: datetime | None = None,
) -> UUID:
    """Let a paused run go on, as a new attempt: with all of its paused tasks, or with the one that is named."""
    asked = asked or Asked()

    def apply(session: Session, run: Any, now: datetime) -> None:
        if run.state_name == "Resume" and task_slug is None:
            return  # asked twice, or by two people
        if run.state_type != PAUSED and run.state_name not in ("Paused", "Resume"):
            raise Conflict(f"The run is {run.state_name}, not paused; there is nothing to resume.")
        found = task_runs.paused(session, flow_run_id, task_slug, map_index)
        if task_slug is not None and not found:
            which = task_slug if map_index is None else f"{task_slug}[{map_index}]"
            raise Conflict(f"The task {which} of this run is not paused; there is nothing to resume.")
        message = asked.message("Resumed", actor)
        resumed = _task_state(SCHEDULED, "Resume", message, now)
        task_runs.move(session, [one.id for one in found if not one.state_data], resumed)
        for one in found:
            if one.state_data:  # such as the round of a loop; the end of the pause is over
                data = {key: value for key, value in one.state_data.items() if key != "start_time"}
                task_runs.move(session, [one.id], resumed | {"data": data})
        start = max(run.scheduled_time, now) if run.state_type == PAUSED and run.attempt == 0 else now
        name = "Resume" if found else "Scheduled"
        _store(session, run, SCHEDULED, name, message, asked, actor, now, states.due(start))

    return _once(db, flow_run_id, asked, now, apply)


def restart(
    db: Database,
    actor: Actor,
    flow_run_id: UUID,
    asked: Asked | None = None,
    *,
    newest_version: bool = False,
    now: datetime | None = None,
) -> UUID:
    """Run again what did not succeed of a run that has ended, and all that comes after it, as a new attempt: with the code that
    the run had, or with the flow's newest version."""
    asked = asked or Asked()

    def apply(session: Session, run: Any, now: datetime) -> None:
        known = task_runs.types_of(session, flow_run_id)
        again = _may_restart(session, run, known)
        message = asked.message("Restarted", actor)
        pending = _task_state("PENDING", "Pending", "To run again, since the run was restarted.", now)
        found = [known[key][0] for key in sorted(again)]
        cleared = {"run_count": 0, "result_location": None, "start_time": None, "end_time": None}
        task_runs.move(session, found, pending, **cleared)
        extra = _FREE | states.due(now) | {"end_time": None, "times_resurrected": 0}
        if newest_version:
            extra |= _newest(session, run)
        _store(session, run, SCHEDULED, "Scheduled", message, asked, actor, now, extra, restart=True)

    return _once(db, flow_run_id, asked, now, apply)


def _may_restart(session: Session, run: Any, known: dict[tuple[str, int], Any]) -> set[tuple[str, int]]:
    """The task runs to run again; raises Conflict when the run is not one to restart."""
    if run.state_type not in TERMINAL:
        raise Conflict(_not_ended(run))
    if run.attempt == 0:
        raise Conflict("The run never started, so there is nothing to restart; create a new run.")
    if session.get_one(Flow, run.flow_id).archived:
        raise Conflict("The run's flow is archived; take it out of the archive to restart the run.")
    edges = flows.graph_of(session, run.flow_version_id).get("edges", [])
    again = to_run_again(edges, {key: type for key, (_, type) in known.items()})
    if run.state_type == "SUCCESS" and not again:
        raise Conflict("Nothing of the run has failed; create a new run to run all of it again.")
    return again


def _newest(session: Session, run: Any) -> dict[str, Any]:
    """The columns that have a run go on with its flow's newest version. Raises Invalid when its parameters don't fit that one."""
    flow, row = session.get_one(Flow, run.flow_id), session.get_one(FlowRun, run.id)
    version = flows.newest_version(session, run.flow_id)
    assert version is not None
    return {
        "flow_version_id": version.id,
        "parameters": checked_parameters(flow, version, row.parameters),
        "run_config": run_config_of(flow, version),
    }


def _not_ended(run: Any) -> str:
    if run.state_type == PAUSED:
        return "The run is paused, not over; resume it instead."
    if run.state_type == SCHEDULED:
        return "The run waits for its time, so there is nothing to restart; it starts by itself."
    return f"The run is still {run.state_name}; wait for its end, or cancel it first."


def _once(
    db: Database,
    flow_run_id: UUID,
    asked: Asked,
    now: datetime | None,
    apply: Callable[[Session, Any, datetime], None],
) -> UUID:
    """Do it, unless it was done before under the same key."""
    key = idempotency_key(asked.idempotency_key)
    with db.write("attempt") as session:
        run = states.lock(session, flow_run_id)
        if run is None:
            raise NotFound("There is no such run; it may have been deleted.")
        if key is not None and any(
            data.get("idempotency_key") == key for data in states.recorded_data(session, flow_run_id)
        ):
            return flow_run_id
        apply(session, run, now or clock.now())
        return flow_run_id


def _store(
    session: Session,
    run: Any,
    type: str,
    name: str,
    message: str,
    asked: Asked,
    actor: Actor,
    now: datetime,
    extra: dict[str, Any],
    *,
    restart: bool = False,
) -> None:
    """Check the transition and store it with the key."""
    facts = Facts(run.state_type, run.state_name, run.attempt)
    verdict = decide(facts, Proposed(type, name, restart=restart))
    if not isinstance(verdict, Accept):
        raise Conflict(getattr(verdict, "sentence", "") or "The run can't do this now; try again.")
    data = None if asked.idempotency_key is None else {"idempotency_key": asked.idempotency_key}
    store_state(session, run, verdict.type, verdict.name, message, data, actor, now, extra)


def _task_state(type: str, name: str, message: str, now: datetime) -> dict[str, Any]:
    return {"type": type, "name": name, "message": message, "data": None, "at": now}
