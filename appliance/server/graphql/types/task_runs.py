"""Task runs in GraphQL, with the attempts that a timeline draws."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import strawberry

from appliance.server.db.rows.task_runs import TaskRunRow, TaskStateRow
from appliance.server.graphql.context import Info
from appliance.server.graphql.types.flow_runs import State, state


@strawberry.type(description="One period in state Running, until the next state. Without an end, it is still running.")
class Attempt:
    start: datetime
    end: datetime | None
    state: str
    type: str


@strawberry.type(description="One task of a flow run, or one child of a mapped task.")
class TaskRun:
    row: strawberry.Private[TaskRunRow]
    id: UUID
    task_slug: str
    map_index: int
    name: str
    state: State
    run_count: int
    start_time: datetime | None
    end_time: datetime | None
    created: datetime

    @strawberry.field
    def attempts(self, info: Info) -> list[Attempt]:
        return segments(info.context.loaders.history.load(self.id) or [])


@strawberry.type
class TaskRunPage:
    items: list[TaskRun]
    next: str | None


def task_run(row: TaskRunRow) -> TaskRun:
    return TaskRun(
        row=row,
        id=row.id,
        task_slug=row.task_slug,
        map_index=row.map_index,
        name=row.name or row.task_slug,
        state=state(row),
        run_count=row.run_count,
        start_time=row.start_time,
        end_time=row.end_time,
        created=row.created,
    )


def segments(history: Sequence[TaskStateRow]) -> list[Attempt]:
    """Each Running state in a history, with the state that ended it."""
    attempts: list[Attempt] = []
    for place, entry in enumerate(history):
        if entry.type != "RUNNING":
            continue
        after = history[place + 1] if place + 1 < len(history) else None
        ended = entry if after is None else after
        end = None if after is None else after.at
        attempts.append(Attempt(start=entry.at, end=end, state=ended.name, type=ended.type))
    return attempts
