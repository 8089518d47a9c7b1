"""Maintenance of the appliance, which administrators begin and end."""

from __future__ import annotations

from datetime import datetime

from appliance.client import wire
from appliance.client.transport import Transport, path
from appliance.protocol.maintenance import BeginMaintenance, MaintenanceView

_PLACE = path("system", "maintenance")


def show(transport: Transport) -> MaintenanceView:
    """Whether the appliance is in maintenance."""
    return transport.get(_PLACE, MaintenanceView)


def begin(transport: Transport, reason: str = "", until: datetime | None = None) -> MaintenanceView:
    """Hold every run that has not started."""
    content = wire.encode(BeginMaintenance(reason=reason, until=until))
    return wire.decode(transport.send("PUT", _PLACE, content, idempotent=True), MaintenanceView)


def end(transport: Transport) -> MaintenanceView:
    """End maintenance, so that runs start again."""
    return wire.decode(transport.send("DELETE", _PLACE, idempotent=True), MaintenanceView)
