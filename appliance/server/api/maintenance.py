"""REST: maintenance, which holds back every run that has not started."""

from __future__ import annotations

from litestar import Router, delete, get, put

from appliance.protocol.maintenance import BeginMaintenance, MaintenanceView
from appliance.server.actions import maintenance
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.reads.maintenance import Maintenance
from appliance.server.db.session import Database


@get("/system/maintenance", opt={"permission": Permission.READ}, sync_to_thread=True)
def show(database: Database) -> MaintenanceView:
    """Whether the appliance is in maintenance."""
    return _view(maintenance.find(database))


@put(
    "/system/maintenance",
    opt={"permission": Permission.MANAGE_MAINTENANCE, "body": BeginMaintenance},
    sync_to_thread=True,
)
def begin(database: Database, actor: Actor, body: bytes) -> MaintenanceView:
    """Hold back every run that has not started; what runs goes on."""
    asked = decode(body, BeginMaintenance)
    return _view(maintenance.begin(database, actor, asked.reason, asked.until))


@delete(
    "/system/maintenance",
    opt={"permission": Permission.MANAGE_MAINTENANCE},
    status_code=200,
    sync_to_thread=True,
)
def end(database: Database, actor: Actor) -> MaintenanceView:
    """Let runs start again."""
    maintenance.end(database, actor)
    return _view(None)


def _view(found: Maintenance | None) -> MaintenanceView:
    if found is None:
        return MaintenanceView(active=False)
    return MaintenanceView(active=True, since=found.since, until=found.until, by=found.by, reason=found.reason)


router = Router("/", route_handlers=[show, begin, end])
