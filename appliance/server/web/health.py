"""Health: /healthz (and /livez) says that the process responds, /readyz that it can do its work."""

from __future__ import annotations

from datetime import datetime

from litestar import Response, get

from appliance.config import Settings
from appliance.kit import clock
from appliance.kit.documents import JsonDocument
from appliance.server.actions import disk
from appliance.server.auth.guards import Permission
from appliance.server.db import revisions
from appliance.server.db.reads import leases
from appliance.server.db.session import Database
from appliance.server.errors import ServerError

TICKS_MISSED = 3


@get(["/healthz", "/livez"], opt={"permission": Permission.PUBLIC}, sync_to_thread=False)
def healthz() -> dict[str, str]:
    """Check that the process is alive."""
    return {"status": "ok"}


@get("/readyz", opt={"permission": Permission.PUBLIC}, sync_to_thread=True)
def readyz(database: Database, settings: Settings) -> Response[JsonDocument]:
    """Check that the database accepts writes, its tables match this version, and the scheduler, if used, is running."""
    reasons = problems(database, settings, clock.now())
    if reasons:
        return Response({"status": "not ready", "reasons": reasons}, status_code=503)
    warnings = disk.measure(database, settings.disk_budget_bytes).warnings
    return Response({"status": "ready"} | ({"warnings": warnings} if warnings else {}), status_code=200)


def problems(database: Database, settings: Settings, now: datetime) -> list[str]:
    """What keeps this server from doing its work, one sentence each."""
    try:
        database.check_writable()
        if database.schema_version() != revisions.head():
            return ["The database's tables don't match this version; restart the appliance to migrate them."]
        age = scheduler_tick_age(database, now)
    except ServerError as error:
        return [error.message]
    if age is not None and age > TICKS_MISSED * max(settings.scheduler_interval, 1.0):
        return [f"The scheduler has not finished a round for {age:.0f} s; check that the services are running."]
    return []


def scheduler_tick_age(database: Database, now: datetime) -> float | None:
    """Seconds since the scheduler's last round, or None if no services have ever run on this database."""
    with database.read() as session:
        lease = leases.get(session, leases.SCHEDULER)
    if lease is None or lease.last_run_at is None:
        return None
    last: datetime = lease.last_run_at
    return max(0.0, (now - last).total_seconds())
