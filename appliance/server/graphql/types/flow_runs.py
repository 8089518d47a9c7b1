"""The parts of a flow run in GraphQL: its state and history, what it waits for, why it failed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import strawberry

from appliance.server.db.reads.task_runs import Recorded
from appliance.server.db.rows.flow_runs import FlowRunRow, RunSummary, StripRun
from appliance.server.db.rows.task_runs import TaskRunRow
from appliance.server.domain.failures import failure_of, is_own_cause
from appliance.server.graphql.context import Info
from appliance.server.graphql.scalars import JSON, BigInt
from appliance.server.graphql.types.known_failures import KnownFailure, known_failure


@strawberry.type
class State:
    type: str
    name: str
    message: str
    at: datetime
    data: JSON | None
    version: int


@strawberry.type(description="One entry of a run's history.")
class StateRecord:
    version: int
    attempt: int
    type: str
    name: str
    message: str
    at: datetime
    actor: str


@strawberry.type(description="A run that another one is waiting for.")
class WaitHolder:
    id: UUID
    name: str


@strawberry.type(description="The run that has started another, and which of its task runs did.")
class ParentRun:
    id: UUID
    name: str
    task_slug: str | None
    map_index: int | None


@strawberry.type
class TaskCounts:
    total: int
    success: int
    failed: int
    running: int
    waiting: int
    other: int


@strawberry.type(description="Why a run failed: the first task that failed on its own, or what ended its process.")
class Cause:
    task_slug: str | None
    map_index: int | None
    message: str
    location: str | None
    attempts: int
    not_run: int
    other_roots: int
    exit_code: int | None
    signal: str | None
    tail: list[str]
    last_success: datetime | None
    fingerprint: str = strawberry.field(
        description="The same for all failures of the flow in this task whose messages differ only in numbers and ids."
    )
    known: KnownFailure | None = strawberry.field(description="Who has marked it as known, and until when.")
    first_error_log_id: BigInt | None


@strawberry.type(description="What one attempt of a run has used, as its agent has measured it.")
class AttemptUsage:
    attempt: int
    cpu_seconds: float | None = strawberry.field(description="Of all its processes.")
    peak_memory: BigInt | None = strawberry.field(description="In bytes.")


@strawberry.type(description="What the last runs of a flow have used, at most 50 of them.")
class FlowUsage:
    runs: int = strawberry.field(description="Of how many it is known.")
    median_cpu_seconds: float | None
    highest_cpu_seconds: float | None
    median_peak_memory: BigInt | None = strawberry.field(description="In bytes.")
    highest_peak_memory: BigInt | None
    memory_limit: BigInt | None = strawberry.field(description="Of the newest of these runs, as its run config says.")


@strawberry.type(
    description="Runs in columns, for pages that show hundreds: the first value of each is of the first run."
)
class Strip:
    ids: list[UUID]
    names: list[str]
    state_types: list[str]
    state_names: list[str]
    start_times: list[datetime | None]
    end_times: list[datetime | None]


def strip(rows: Sequence[StripRun]) -> Strip:
    """The columns of these runs."""
    return Strip(
        ids=[row.id for row in rows],
        names=[row.name for row in rows],
        state_types=[row.state_type for row in rows],
        state_names=[row.state_name for row in rows],
        start_times=[row.start_time for row in rows],
        end_times=[row.end_time for row in rows],
    )


def state(row: RunSummary | TaskRunRow) -> State:
    """The state columns of a flow run or a task run."""
    return State(
        type=row.state_type,
        name=row.state_name,
        message=row.state_message,
        at=row.state_at,
        data=row.state_data,
        version=row.version,
    )


def parent_run(row: FlowRunRow, name: str) -> ParentRun | None:
    if row.parent_flow_run_id is None:
        return None
    return ParentRun(
        id=row.parent_flow_run_id, name=name, task_slug=row.parent_task_slug, map_index=row.parent_map_index
    )


def cause_of(row: FlowRunRow, info: Info) -> Cause:
    """A crash is its own cause, whatever its tasks were doing. Otherwise, the first task that failed on its own."""
    loaders = info.context.loaders
    data = row.state_data or {}
    recorded = loaders.task_counts.load(row.id) or Recorded()
    task = None if is_own_cause(row.state_name) else loaders.failures.load(row.id)
    failure = failure_of(row.state_message, task)
    known = (loaders.known_failures.load(row.flow_id) or {}).get((failure.task_slug, failure.fingerprint))
    first_error = loaders.first_error.load(row.id)
    code, tail = data.get("exit_code"), data.get("tail")
    return Cause(
        task_slug=None if task is None else task.task_slug,
        map_index=None if task is None or task.map_index < 0 else task.map_index,
        message=failure.message,
        location=(data if task is None else task.state_data or {}).get("location"),
        attempts=row.attempt if task is None else max(1, task.run_count),
        not_run=recorded.not_run,
        other_roots=recorded.failed if task is None else recorded.failed - 1,
        exit_code=code if isinstance(code, int) else None,
        signal=data.get("signal"),
        tail=[str(line) for line in tail] if isinstance(tail, list) else [],
        last_success=loaders.last_success.load(row.flow_id),
        fingerprint=failure.fingerprint,
        known=None if known is None else known_failure(known, info.context.now),
        first_error_log_id=None if first_error is None else BigInt(first_error),
    )


def task_counts_of(by_type: dict[str, int], future: int) -> TaskCounts:
    groups = {
        "success": by_type.get("SUCCESS", 0),
        "failed": by_type.get("FAILED", 0),
        "running": by_type.get("RUNNING", 0),
        "waiting": sum(by_type.get(type, 0) for type in ("SCHEDULED", "PENDING", "PAUSED")) + future,
    }
    total = sum(by_type.values()) + future
    return TaskCounts(total=total, other=total - sum(groups.values()), **groups)
