"""Maintenance of the appliance, which administrators begin and end."""

from __future__ import annotations

from datetime import datetime

from appliance.client.transport import Transport, path
from appliance.protocol.maintenance import BeginMaintenance, MaintenanceView

_PLACE = path("system", "maintenance")


def show(transport: Transport) -> MaintenanceView:
    """Whether the appliance is in maintenance."""
    return transport.get(_PLACE, MaintenanceView)


def begin(transport: Transport, reason: str = "", until: datetime | None = None) -> MaintenanceView:
    """Hold every run that has not started."""
    return transport.change("PUT", _PLACE, BeginMaintenance(reason=reason, until=until), MaintenanceView)


def end(transport: Transport) -> MaintenanceView:
    """End maintenance, so that runs start again."""
    return transport.change("DELETE", _PLACE, None, MaintenanceView)
