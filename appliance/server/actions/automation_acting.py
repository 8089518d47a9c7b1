"""What automations change here: the same actions as people take, each in one transaction with the delivery that it settles, so that it is done once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.protocol.automations import Action, TrialView
from appliance.protocol.flow_runs import ChangeFlowRun, CreateFlowRun, RestartFlowRun
from appliance.protocol.life_cycle import EditFlow
from appliance.server.actions import automation_rights, concurrency, deliveries, flow_edits, schedules
from appliance.server.actions.automation_history import newest
from appliance.server.actions.automations import action_of
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.actions.flow_runs.create import create_run
from appliance.server.actions.flow_runs.restart import restart_run
from appliance.server.auth.identity import SYSTEM, Actor
from appliance.server.db.joined import Joined
from appliance.server.db.reads import automations as reads
from appliance.server.db.retries import retried
from appliance.server.db.rows.automations import AutomationRow, DeliveryRow, DueDelivery
from appliance.server.db.session import Database
from appliance.server.db.writes import automations as writes
from appliance.server.domain import automation_acts as rules
from appliance.server.domain.automations import LONGEST_ANSWER, text_of
from appliance.server.domain.concurrency import TASK_TAG
from appliance.server.domain.sanitize import clean
from appliance.server.errors import Conflict, Forbidden, Invalid, NotFound, ServerError
from appliance.server.events.outbox import announce
from appliance.server.events.sending import Outcome

_FINAL = (Conflict, Forbidden, Invalid, NotFound)
_OFF = "The automation was switched off before it acted."


def act(db: Database, delivery: DueDelivery, *, now: datetime) -> Outcome:
    """Do what a delivery asks for, unless it was done. What is refused is not tried again; what is wrong with the database passes."""
    try:
        return _acted(db, delivery.id, now=now)
    except ServerError as error:
        outcome = Outcome(False, "", "", error.message, isinstance(error, _FINAL))
    deliveries.mark(db, delivery, outcome, now=now)
    return outcome


@retried
def _acted(db: Database, delivery_id: UUID, *, now: datetime) -> Outcome:
    """The change and the mark are one transaction: killed in between, neither has happened."""
    with db.write("automation.act") as session:
        row = writes.lock_delivery(session, delivery_id)
        automation = None if row is None else reads.one(session, row.automation_id)
        if row is None or automation is None or row.state != "pending":
            return Outcome(True, "", "")
        if not automation.enabled:
            writes.mark(session, row.id, state="dropped", reason=_OFF, tried_at=now)
            return Outcome(True, "", "")
        joined = Joined(db, session)
        started = _carry_out(joined, session, automation, row.message, str(row.id), now)
        answer = rules.did(action_of(automation.action), row.message)
        _settle(session, row, answer, started, now)
        announce(session, "automation", automation.id, "automation.sent", {}, SYSTEM, now)
    joined.committed()
    return Outcome(True, "", answer)


def trial(db: Database, automation: AutomationRow, base_url: str, now: datetime) -> TrialView:
    """What the automation would do about the newest event that matches. It is rehearsed, so that what would be refused
    is known."""
    match = newest(db, automation, base_url, now)
    if match is None:
        return TrialView(
            ok=True, request="", answer="Nothing that matches has happened in the last 30 days, so there is nothing to try it on.", seconds=0
        )  # fmt: skip
    action, message = (
        action_of(automation.action),
        match.message | {"chain": match.chain, "automation": automation.name},
    )
    answer = rules.would(action, message)
    about = f"{text_of(message)}\n{match.name} at {message['at']}"
    try:
        if match.chain >= rules.LONGEST_CHAIN:
            raise Conflict(rules.CHAIN_ENDS)
        with db.rehearsal() as session:
            _carry_out(Joined(db, session), session, automation, message, None, now)
        return TrialView(ok=True, request=about, answer=f"{answer} Nothing was done.", seconds=0)
    except ServerError as error:
        return TrialView(ok=False, request=about, answer=f"{answer} It can't now: {error.message}", seconds=0)


def _carry_out(
    db: Database,
    session: Session,
    automation: AutomationRow,
    message: Mapping[str, Any],
    key: str | None,
    now: datetime,
) -> UUID | None:
    """Do it; the run that it starts, if it does. Raises what the same does to people, and Forbidden."""
    action, chain = action_of(automation.action), message["chain"] + 1
    actor = automation_rights.principal(session, automation.name, automation.action, chain)
    reason = rules.filled(action.text, message)
    seen = message.get("run_version")
    match action.kind:
        case "restart":
            restart_run(db, actor, UUID(message["run_id"]), RestartFlowRun(reason=reason, version=seen), now=now)
        case "cancel":
            cancel_run(db, actor, UUID(message["run_id"]), ChangeFlowRun(reason=reason, version=seen), now=now)
        case "pause_flow":
            flow_edits.edit(db, actor, UUID(message["flow_id"]), EditFlow(paused=True, reason=reason), now=now)
        case "pause_schedule":
            if not message.get("schedule_id"):
                raise Conflict("No schedule has planned the run, so there is none to pause.")
            schedules.set_active(db, actor, UUID(message["schedule_id"]), False, now=now)
        case "set_limit":
            concurrency.put(db, actor, TASK_TAG, action.tag, action.slots or 0, now=now)
        case "start":
            return _start(db, actor, action, message, key, now)
    return None


def _start(
    db: Database, actor: Actor, action: Action, message: Mapping[str, Any], key: str | None, now: datetime
) -> UUID:
    project, _, flow = action.flow.partition("/")
    request = CreateFlowRun(
        project=project, flow=flow, parameters=rules.parameters_of(action, message), labels=action.labels,
        name=rules.filled(action.run_name, message).strip()[:200] or None, idempotency_key=key,
    )  # fmt: skip
    return create_run(db, actor, request, now=now).id


def _settle(session: Session, row: DeliveryRow, answer: str, started: UUID | None, now: datetime) -> None:
    message = row.message if started is None else row.message | {"started": str(started)}
    writes.mark(
        session, row.id, state="sent", reason="", attempts=row.attempts + 1, tried_at=now, message=message,
        answer=clean(answer, LONGEST_ANSWER),
    )  # fmt: skip
