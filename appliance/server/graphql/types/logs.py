"""Log lines in GraphQL."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import strawberry

from appliance.protocol.logs import stream_of
from appliance.server.db.rows.logs import LogRow
from appliance.server.graphql.scalars import BigInt


@strawberry.enum(description="Where code wrote a line that it did not log.")
class LogStream(Enum):
    STDOUT = "stdout"
    STDERR = "stderr"


@strawberry.type
class Log:
    id: BigInt
    at: datetime
    level: int
    logger: str
    message: str
    stream: LogStream | None
    task_slug: str | None
    map_index: int


@strawberry.type(
    description="Lines, oldest first. `next` is set on the last page too: use it to fetch lines that arrive later."
)
class LogPage:
    items: list[Log]
    next: str | None
    previous: str | None


def log(row: LogRow) -> Log:
    stream = stream_of(row.logger)
    return Log(
        id=row.id,
        at=row.at,
        level=row.level,
        logger=row.logger,
        message=row.message,
        stream=None if stream is None else LogStream(stream),
        task_slug=row.task_slug,
        map_index=row.map_index,
    )
