"""Automations: list, create, change and delete them, try them out, and see what they have sent."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from appliance.client.transport import Transport, path
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


def listed(transport: Transport) -> list[AutomationView]:
    """All of them, by name."""
    return msgspec.convert(transport.get(path("automations"), Page).items, list[AutomationView])


def one(transport: Transport, automation_id: UUID) -> AutomationView:
    """One of them."""
    return transport.get(path("automations", automation_id), AutomationView)


def create(transport: Transport, request: CreateAutomation) -> AutomationView:
    """Create one."""
    return transport.change("POST", path("automations"), request, AutomationView)


def edit(transport: Transport, automation_id: UUID, request: EditAutomation) -> AutomationView:
    """Change one, or enable or disable it."""
    return transport.change("PATCH", path("automations", automation_id), request, AutomationView)


def delete(transport: Transport, automation_id: UUID) -> None:
    """Delete one."""
    transport.remove(path("automations", automation_id))


def test(transport: Transport, automation_id: UUID) -> TrialView:
    """Send a sample message to where it sends."""
    return transport.change("POST", path("automations", automation_id, "test"), None, TrialView)


def dry_run(transport: Transport, request: DryRun) -> DryRunView:
    """How often it would have acted."""
    return transport.post(path("automations", "dry-run"), request, DryRunView, idempotent=True)


def deliveries(
    transport: Transport, automation_id: UUID, state: str | None = None, limit: int = 20
) -> list[DeliveryView]:
    """What it has sent or is about to send, newest first."""
    params: dict[str, Any] = {"limit": min(limit, 200)} | ({"state": state} if state else {})
    page = transport.get(path("automations", automation_id, "deliveries"), Page, params)
    return msgspec.convert(page.items, list[DeliveryView])


def send_again(transport: Transport, delivery_id: UUID) -> DeliveryView:
    """Send a delivery once more, under its id."""
    return transport.change("POST", path("deliveries", delivery_id, "send-again"), None, DeliveryView)
