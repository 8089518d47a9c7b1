"""REST: maintenance, during which no new run starts."""

from __future__ import annotations

from litestar import Router, delete, get, put

from appliance.protocol.maintenance import BeginMaintenance, MaintenanceView
from appliance.server.actions import maintenance
from appliance.server.api import PREFIX
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
    """Begin maintenance: no new run starts. Active runs continue."""
    request = decode(body, BeginMaintenance)
    return _view(maintenance.begin(database, actor, request.reason, request.until, request.duration))


@delete(
    "/system/maintenance",
    opt={"permission": Permission.MANAGE_MAINTENANCE},
    status_code=200,
    sync_to_thread=True,
)
def end(database: Database, actor: Actor) -> MaintenanceView:
    """End maintenance: runs start again."""
    maintenance.end(database, actor)
    return _view(None)


def _view(active: Maintenance | None) -> MaintenanceView:
    if active is None:
        return MaintenanceView(active=False)
    return MaintenanceView(active=True, since=active.since, until=active.until, by=active.by, reason=active.reason)


router = Router(PREFIX, route_handlers=[show, begin, end])
