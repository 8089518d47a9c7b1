"""The caller, the server, its disk and its maintenance in GraphQL, and the inputs of their mutations."""

from __future__ import annotations

from datetime import datetime

import strawberry

from appliance.server.actions.disk import Disk as DiskState
from appliance.server.actions.disk import Freed
from appliance.server.db.reads.maintenance import Maintenance as ActiveMaintenance
from appliance.server.graphql.scalars import BigInt


@strawberry.type(description="The caller and their permissions.")
class Me:
    username: str
    role: str
    permissions: list[str]
    must_change_password: bool


@strawberry.type
class Server:
    version: str
    site_name: str
    time: datetime
    scheduler_tick_age: float | None
    database_bytes: BigInt
    agents_online: int
    agent_not_separated: str | None = strawberry.field(
        description="Why the embedded agent and its runs have no user of their own; null if they have one, or there is no such agent."
    )


@strawberry.type(
    description="The database's disk. Sizes are in bytes; freeBytes and totalBytes are null if the database is Postgres."
)
class Disk:
    writable: bool
    free_bytes: BigInt | None
    total_bytes: BigInt | None
    days_left: float | None
    warnings: list[str]


@strawberry.type(description="Whether the appliance is in maintenance: no new run starts.")
class Maintenance:
    active: bool
    since: datetime | None = None
    until: datetime | None = None
    by: str = ""
    reason: str = ""


@strawberry.type(description="How many rows of a kind were deleted.")
class DeletedRows:
    kind: str
    count: BigInt


@strawberry.input(description="Nothing newer than keepDays is deleted.")
class FreeSpaceInput:
    keep_days: float | None = None
    idempotency_key: str | None = None


@strawberry.input(
    description="Maintenance ends automatically at until or after duration seconds; without either, an administrator must end it."
)
class BeginMaintenanceInput:
    reason: str | None = None
    until: datetime | None = None
    duration: float | None = None
    idempotency_key: str | None = None


@strawberry.type
class FreeSpacePayload:
    deleted: list[DeletedRows]
    freed_bytes: BigInt
    disk: Disk


@strawberry.type
class BeginMaintenancePayload:
    maintenance: Maintenance


@strawberry.type
class EndMaintenancePayload:
    maintenance: Maintenance


def disk(state: DiskState) -> Disk:
    return Disk(
        writable=state.writable,
        free_bytes=None if state.free is None else BigInt(state.free),
        total_bytes=None if state.total is None else BigInt(state.total),
        days_left=state.days_left,
        warnings=state.warnings,
    )


def freed(result: Freed) -> FreeSpacePayload:
    return FreeSpacePayload(
        deleted=[DeletedRows(kind=kind, count=BigInt(count)) for kind, count in result.deleted.items()],
        freed_bytes=BigInt(result.freed),
        disk=disk(result.disk),
    )


def maintenance(active: ActiveMaintenance | None) -> Maintenance:
    if active is None:
        return Maintenance(active=False)
    return Maintenance(active=True, since=active.since, until=active.until, by=active.by, reason=active.reason)
