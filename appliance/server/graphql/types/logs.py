"""Log lines in GraphQL."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from uuid import UUID

import strawberry

from appliance.protocol.logs import stream_of
from appliance.server.db.rows.logs import FoundRow, LogRow
from appliance.server.domain.log_words import LogWords, excerpt
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


@strawberry.type(description="A line of any run. Of a long message, it has the part with a word of the search.")
class FoundLog:
    id: BigInt
    at: datetime
    level: int
    logger: str
    message: str
    stream: LogStream | None
    task_slug: str | None
    map_index: int
    flow_run_id: UUID
    run_name: str
    flow: str
    project: str


@strawberry.type(description="Lines, newest first. While `next` is set, there may be more, even after a short page.")
class LogSearchPage:
    items: list[FoundLog]
    next: str | None
    complete: bool = strawberry.field(
        description="False while lines from before an upgrade are still being added to the index."
    )


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


def found_log(row: FoundRow, words: LogWords) -> FoundLog:
    stream = stream_of(row.logger)
    return FoundLog(
        id=row.id,
        at=row.at,
        level=row.level,
        logger=row.logger,
        message=excerpt(row.message, words),
        stream=None if stream is None else LogStream(stream),
        task_slug=row.task_slug,
        map_index=row.map_index,
        flow_run_id=row.flow_run_id,
        run_name=row.run_name,
        flow=row.flow,
        project=row.project,
    )
