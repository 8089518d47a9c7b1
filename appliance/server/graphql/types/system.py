"""The caller and the server as GraphQL shows them."""

from __future__ import annotations

from datetime import datetime

import strawberry

from appliance.server.graphql.scalars import BigInt


@strawberry.type(description="Who asks, and what they may do.")
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


@strawberry.type(description="The disk under the database, in bytes; free and total are null where that is Postgres.")
class Disk:
    writable: bool
    free_bytes: BigInt | None
    total_bytes: BigInt | None
    days_left: float | None
    warnings: list[str]


@strawberry.type(description="Whether every run that has not started is held back.")
class Maintenance:
    active: bool
    since: datetime | None = None
    until: datetime | None = None
    by: str = ""
    reason: str = ""
