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
