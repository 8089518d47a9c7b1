"""The caller and the server in GraphQL."""

from __future__ import annotations

from datetime import datetime

import strawberry

from appliance.server.graphql.scalars import BigInt


@strawberry.type(description="The caller and their permissions.")
class Me:
    username: str
    role: str
    permissions: list[str]


@strawberry.type
class Server:
    version: str
    site_name: str
    time: datetime
    scheduler_tick_age: float | None
    database_bytes: BigInt
    agents_online: int


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
