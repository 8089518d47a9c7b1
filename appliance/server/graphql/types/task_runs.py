"""Task runs in GraphQL, with the attempts that a timeline draws."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import strawberry

from appliance.server.db.reads.task_groups import GroupState as StoredState
from appliance.server.db.reads.task_groups import TaskGroup as StoredGroup
from appliance.server.db.rows.task_runs import TaskRunRow, TaskStateRow
from appliance.server.graphql.context import Info
from appliance.server.graphql.fields import described
from appliance.server.graphql.loaders import Batch
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

    @described("The run that it has started.")
    def child_run_id(self, info: Info) -> UUID | None:
        return info.context.loaders.child_of.load((self.row.flow_run_id, self.task_slug, self.map_index))


@strawberry.type
class TaskRunPage:
    items: list[TaskRun]
    next: str | None


@strawberry.type(description="The children of a mapped task that are in one state.")
class TaskGroupState:
    type: str
    name: str
    count: int
    first_start: datetime | None
    last_end: datetime | None = strawberry.field(description="The latest end of those that have ended.")
    first: TaskRun | None = strawberry.field(description="The one with the lowest map index; null if it is damaged.")


@strawberry.type(description="One task of a flow run, with its children as numbers.")
class TaskGroup:
    busy_of: strawberry.Private[Batch[str, list[int]]]
    task_slug: str
    own: TaskRun | None = strawberry.field(description="Its task run; null if only children are known yet.")
    states: list[TaskGroupState] = strawberry.field(description="Of its children, those with the lowest index first.")

    @described(
        "How many children were under way, in 48 equal parts of the time from their first start to their last end."
    )
    def busy(self) -> list[int]:
        return self.busy_of.load(self.task_slug) or []


@strawberry.type
class TaskGroupPage:
    items: list[TaskGroup]
    next: str | None


def task_group(group: StoredGroup, busy: Batch[str, list[int]]) -> TaskGroup:
    return TaskGroup(
        busy_of=busy,
        task_slug=group.task_slug,
        own=None if group.own is None else task_run(group.own),
        states=[_group_state(state) for state in group.states],
    )


def _group_state(state: StoredState) -> TaskGroupState:
    numbers = state.numbers
    return TaskGroupState(
        type=numbers.state_type,
        name=numbers.state_name,
        count=numbers.number,
        first_start=numbers.first_start,
        last_end=numbers.last_end,
        first=None if state.first is None else task_run(state.first),
    )


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
