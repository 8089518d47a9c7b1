"""The last runs of a flow in GraphQL: how long they took, why they failed, and what its tasks took."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
import strawberry

from appliance.protocol import flow_history as answers


@strawberry.type(description="A run in the history of a flow.")
class PastRun:
    id: UUID
    name: str
    state_type: str
    state_name: str
    scheduled_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    seconds: float | None = strawberry.field(description="Null until it has ended, and if it never started.")
    version: int


@strawberry.type(description="Runs that failed in the same task with messages that differ only in numbers and ids.")
class FailureCause:
    task_slug: str | None = strawberry.field(description="Null if no task was the cause.")
    fingerprint: str
    message: str = strawberry.field(description="That of the latest.")
    runs: int
    first_run_id: UUID
    first_at: datetime
    last_run_id: UUID
    last_at: datetime
    known: bool = strawberry.field(description="Whether a person has marked it as known, and its time has not passed.")


@strawberry.type(description="The last runs of a flow, at most 100, newest first.")
class FlowHistory:
    runs: list[PastRun]
    median_seconds: float | None = strawberry.field(description="Of those that succeeded.")
    p95_seconds: float | None
    causes: list[FailureCause] = strawberry.field(description="Of those that failed, the most frequent first.")


@strawberry.type(description="One task in the last runs of its flow. Each child of a mapped task counts.")
class TaskFigures:
    slug: str
    ended: int = strawberry.field(description="How many of its runs succeeded or failed on their own.")
    failed: int
    retries: int
    median_seconds: float | None = strawberry.field(description="Of those that succeeded.")
    p95_seconds: float | None
    critical_share: float = strawberry.field(
        description="From 0 to 1, of the time that tasks took on the critical paths of these runs."
    )


@strawberry.type(description="The tasks of a flow in its last runs that have ended, at most 30.")
class FlowTasks:
    runs: int
    left_out: int = strawberry.field(description="How many of them have stored too much to be looked at.")
    tasks: list[TaskFigures] = strawberry.field(description="Those with the largest share of the critical path first.")


def flow_history(answer: answers.FlowHistory) -> FlowHistory:
    return FlowHistory(
        runs=[PastRun(**msgspec.structs.asdict(run)) for run in answer.runs],
        median_seconds=answer.median_seconds,
        p95_seconds=answer.p95_seconds,
        causes=[
            FailureCause(**{**msgspec.structs.asdict(cause), "task_slug": cause.task_slug or None})
            for cause in answer.causes
        ],
    )


def flow_tasks(answer: answers.FlowTasks) -> FlowTasks:
    return FlowTasks(
        runs=answer.runs,
        left_out=answer.left_out,
        tasks=[TaskFigures(**msgspec.structs.asdict(task)) for task in answer.tasks],
    )
