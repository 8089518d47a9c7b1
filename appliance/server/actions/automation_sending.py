"""Sending what an automation says, with the secret that it names, opened for this one message; and trying it out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.config import Settings
from appliance.kit import clock, ids
from appliance.protocol.automations import Action, TrialView
from appliance.server.actions.automation_acting import trial
from appliance.server.actions.automation_matches import address_of
from appliance.server.actions.automations import action_of, known
from appliance.server.actions.keyed import recorded
from appliance.server.actions.secrets import opened
from appliance.server.auth.identity import Actor
from appliance.server.auth.secret_keys import SecretKeys
from appliance.server.db.reads import projects
from appliance.server.db.reads import secrets as read_secrets
from appliance.server.db.rows.automations import AutomationRow
from appliance.server.db.rows.secrets import SealedSecret
from appliance.server.db.session import Database
from appliance.server.domain import automations as rules
from appliance.server.domain.automation_acts import acts
from appliance.server.errors import NoSecret, ServerError
from appliance.server.events.sending import Outcome, send

_SAMPLE = {
    "project": "default", "flow": "example", "flow_id": str(UUID(int=0)), "run": "calm-otter", "run_id": str(UUID(int=0)),
    "state": "Failed", "message": "This is a test.", "agent": "example", "agent_id": str(UUID(int=0)), "skipped": "3",
}  # fmt: skip


def deliver(
    db: Database, settings: Settings, action: Action, notice: Mapping[str, Any], *, now: datetime | None = None
) -> Outcome:
    """Send a message once. What is wrong with the secret is an outcome, too: somebody may set it meanwhile."""
    try:
        secret = _secret(db, settings, action.secret) if action.secret else ""
    except ServerError as error:
        return Outcome(False, "", "", error.message)
    return send(action, notice, secret, settings, now or clock.now())


@recorded("automation.test", beside=("settings",))
def test(
    db: Database, _actor: Actor, settings: Settings, automation_id: UUID, *, now: datetime | None = None
) -> TrialView:
    """Send a sample message to where the automation sends, and show what was sent and what came back. One that changes something does nothing: it
    shows what it would do about the newest event."""
    now = now or clock.now()
    with db.read() as session:
        row = known(session, automation_id)
    if acts(action_of(row.action)):
        return trial(db, row, address_of(settings), now)
    began = clock.monotonic()
    outcome = deliver(db, settings, action_of(row.action), _sample(row, now), now=now)
    answer = outcome.answer if outcome.ok else f"{outcome.reason}\n\n{outcome.answer}".strip()
    return TrialView(
        ok=outcome.ok, request=outcome.request, answer=answer[: rules.LONGEST_ANSWER],
        seconds=round(clock.monotonic() - began, 3),
    )  # fmt: skip


def _sample(row: AutomationRow, now: datetime) -> dict[str, Any]:
    notice = {**_SAMPLE, "event": row.events[0], "at": clock.isoformat(now), "automation": row.name, "test": True}
    notice["text"] = "Test: " + rules.text_of(notice, row.action.get("text", ""))
    return {"id": str(ids.uuid7()), **notice}


def _secret(db: Database, settings: Settings, name: str) -> str:
    with db.read() as session:
        sealed = _sealed(session, name)
    if sealed is None:
        raise NoSecret(f"There is no secret {name!r}, which the automation names; set it on the page Secrets.")
    return opened(SecretKeys(settings.secrets_key_path), sealed)


def _sealed(session: Session, name: str) -> SealedSecret | None:
    project, _, secret = name.partition("/")
    project_id = projects.ids_of(session, [project]).get(project)
    return None if project_id is None else read_secrets.sealed(session, project_id, secret)
