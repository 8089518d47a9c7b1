"""REST: automations, what they would have done, and what they have sent."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Router, delete, get, patch, post
from litestar.params import Parameter

from appliance.config import Settings
from appliance.protocol.automations import (
    AutomationView,
    CreateAutomation,
    DeliveryView,
    DryRun,
    DryRunView,
    EditAutomation,
    TrialView,
)
from appliance.protocol.message import Page
from appliance.server.actions import automation_history, automation_sending, deliveries
from appliance.server.actions import automations as actions
from appliance.server.api import PREFIX
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.reads import automations as reads
from appliance.server.db.reads import pages
from appliance.server.db.session import Database
from appliance.server.errors import NotFound


@get("/automations", opt={"permission": Permission.READ, "items": AutomationView}, sync_to_thread=True)
def index(database: Database, actor: Actor) -> Page:
    """List automations by name. Only those who can edit them see the whole URL to which one sends."""
    with database.read() as session:
        return Page(items=actions.every(session, actor))


@post("/automations", opt={"permission": Permission.EDIT_AUTOMATION, "body": CreateAutomation}, sync_to_thread=True)
def create(database: Database, actor: Actor, body: bytes) -> AutomationView:
    """Create an automation. It acts on what happens from now on."""
    return _one(database, actor, actions.create(database, actor, decode(body, CreateAutomation)))


@get("/automations/{automation_id:uuid}", opt={"permission": Permission.READ}, sync_to_thread=True)
def show(database: Database, actor: Actor, automation_id: UUID) -> AutomationView:
    """Get an automation."""
    return _one(database, actor, automation_id)


@patch(
    "/automations/{automation_id:uuid}",
    opt={"permission": Permission.EDIT_AUTOMATION, "body": EditAutomation},
    sync_to_thread=True,
)
def edit(database: Database, actor: Actor, automation_id: UUID, body: bytes) -> AutomationView:
    """Change an automation, or enable or disable it. With a revision, only if nobody else has changed it since."""
    actions.edit(database, actor, automation_id, decode(body, EditAutomation))
    return _one(database, actor, automation_id)


@delete("/automations/{automation_id:uuid}", opt={"permission": Permission.EDIT_AUTOMATION}, sync_to_thread=True)
def remove(database: Database, actor: Actor, automation_id: UUID) -> None:
    """Delete an automation with its deliveries. Pending deliveries are dropped."""
    actions.delete(database, actor, automation_id)


@post(
    "/automations/{automation_id:uuid}/test",
    opt={"permission": Permission.EDIT_AUTOMATION},
    sync_to_thread=True,
    status_code=200,
)
def test(database: Database, settings: Settings, actor: Actor, automation_id: UUID) -> TrialView:
    """Send a sample message to where the automation sends; the answer shows the request and what came back. An automation that changes something
    does nothing, and says what it would do about the newest event that matches."""
    return automation_sending.test(database, actor, settings, automation_id)


@post(
    "/automations/dry-run",
    opt={"permission": Permission.READ, "body": DryRun},
    sync_to_thread=True,
    status_code=200,
)
def dry_run(database: Database, body: bytes) -> DryRunView:
    """Count how often an automation would have acted in the last days, and list the newest of these times."""
    return automation_history.dry_run(database, decode(body, DryRun))


@get(
    "/automations/{automation_id:uuid}/deliveries",
    opt={"permission": Permission.READ, "items": DeliveryView},
    sync_to_thread=True,
)
def history(
    database: Database,
    automation_id: UUID,
    state_filter: Annotated[str | None, Parameter(query="state")] = None,
    limit: int | None = None,
    after: str | None = None,
) -> Page:
    """List what an automation has sent or is about to send, newest first."""
    with database.read() as session:
        actions.known(session, automation_id)
        page = reads.deliveries(session, automation_id, actions.delivery_state(state_filter), pages.size(limit), after)
        return Page(items=[actions.delivery_view(row) for row in page.rows], next=page.next)


@post(
    "/deliveries/{delivery_id:uuid}/send-again",
    opt={"permission": Permission.EDIT_AUTOMATION},
    sync_to_thread=True,
    status_code=200,
)
def send_again(database: Database, actor: Actor, delivery_id: UUID) -> DeliveryView:
    """Send a delivery once more, under its id, for a day from now."""
    deliveries.send_again(database, actor, delivery_id)
    with database.read() as session:
        row = reads.delivery(session, delivery_id)
        if row is None:
            raise NotFound("The delivery has been deleted meanwhile.")
        return actions.delivery_view(row)


def _one(database: Database, actor: Actor, automation_id: UUID) -> AutomationView:
    with database.read() as session:
        return actions.one(session, automation_id, actor)


router = Router(PREFIX, route_handlers=[index, create, show, edit, remove, test, dry_run, history, send_again])
