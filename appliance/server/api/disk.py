"""REST: the database's disk, and freeing space on it."""

from __future__ import annotations

from litestar import get, post

from appliance.config import Settings
from appliance.protocol.message import Answer
from appliance.protocol.system import FreeSpace
from appliance.server.actions import disk
from appliance.server.api.bodies import decode
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.session import Database


class DiskView(Answer, kw_only=True):
    """Sizes are in bytes. `free_bytes` and `total_bytes` are null if the database is Postgres."""

    database_bytes: int  # without free pages
    file_bytes: int
    write_ahead_log_bytes: int
    free_bytes: int | None
    total_bytes: int | None
    reserve_bytes: int
    reserve_wanted_bytes: int
    budget_bytes: int
    results: int  # how many the appliance keeps for runs
    results_bytes: int
    writable: bool
    days_left: float | None
    warnings: list[str]


class FreedView(Answer, kw_only=True):
    deleted: dict[str, int]
    freed_bytes: int
    disk: DiskView


@get("/system/disk", opt={"permission": Permission.READ}, sync_to_thread=True)
def show_disk(database: Database, settings: Settings) -> DiskView:
    """How full the database's disk is, when it will be full if it keeps growing as in recent days, and any warnings."""
    return _view(disk.measure(database, settings.disk_budget_bytes))


@post(
    "/system/free-space",
    opt={"permission": Permission.MANAGE_DISK, "body": FreeSpace},
    status_code=200,
    sync_to_thread=True,
)
def free_space(database: Database, settings: Settings, actor: Actor, body: bytes) -> FreedView:
    """Delete the oldest runs, logs and events, with ever tighter limits, until there is room again. Works on a full disk."""
    request = decode(body, FreeSpace)
    freed = disk.free_space(database, actor, settings, request.keep_days)
    return FreedView(deleted=freed.deleted, freed_bytes=freed.freed, disk=_view(freed.disk))


def _view(state: disk.Disk) -> DiskView:
    return DiskView(
        database_bytes=state.used,
        file_bytes=state.file,
        write_ahead_log_bytes=state.write_ahead_log,
        free_bytes=state.free,
        total_bytes=state.total,
        reserve_bytes=state.reserve,
        reserve_wanted_bytes=state.reserve_target,
        budget_bytes=state.budget,
        results=state.results,
        results_bytes=state.results_bytes,
        writable=state.writable,
        days_left=state.days_left,
        warnings=state.warnings,
    )
