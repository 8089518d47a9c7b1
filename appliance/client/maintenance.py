"""Maintenance of the appliance, which administrators begin and end."""

from __future__ import annotations

from datetime import datetime, timedelta

from appliance.client.transport import Transport, path
from appliance.protocol.maintenance import BeginMaintenance, MaintenanceView

_PLACE = path("system", "maintenance")


def show(transport: Transport) -> MaintenanceView:
    """Whether the appliance is in maintenance."""
    return transport.get(_PLACE, MaintenanceView)


def begin(
    transport: Transport, reason: str = "", until: datetime | None = None, length: timedelta | None = None
) -> MaintenanceView:
    """Hold every run that has not started, until a time or for a length of time."""
    duration = None if length is None else length.total_seconds()
    request = BeginMaintenance(reason=reason, until=until, duration=duration)
    return transport.change("PUT", _PLACE, request, MaintenanceView)


def end(transport: Transport) -> MaintenanceView:
    """End maintenance, so that runs start again."""
    return transport.change("DELETE", _PLACE, None, MaintenanceView)
