"""Flow runs as GraphQL shows them: their state, why they wait, why they failed."""

from __future__ import annotations

from datetime import datetime
from typing import cast
from uuid import UUID

import strawberry

from appliance.protocol.states import TERMINAL
from appliance.server.db.reads import states
from appliance.server.db.reads.task_runs import Recorded
from appliance.server.db.reads.waiting import run_facts
from appliance.server.db.rows.flow_runs import FlowRunRow, RunSummary
from appliance.server.db.rows.task_runs import TaskRunRow
from appliance.server.domain.waiting import Waiting, why
from appliance.server.graphql.context import Info
from appliance.server.graphql.fields import described
from appliance.server.graphql.scalars import JSON, BigInt
from appliance.server.graphql.types import flows
from appliance.server.graphql.types.agents import Agent, agent
from appliance.server.graphql.types.flows import Flow, FlowVersion

_MOST_HOLDERS = 50


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


@strawberry.type(description="A run whose end another one waits for.")
class WaitHolder:
    id: UUID
    name: str


@strawberry.type
class TaskCounts:
    total: int
    success: int
    failed: int
    running: int
    waiting: int
    other: int


@strawberry.type(description="Why a run failed: the first task that failed by itself, or what ended its process.")
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
    first_error_log_id: BigInt | None


@strawberry.type(description="One execution of a flow.")
class FlowRun:
    row: strawberry.Private[FlowRunRow]
    id: UUID
    name: str
    parameters: JSON
    labels: list[str]
    created: datetime
    created_by: str
    trigger: str
    scheduled_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    attempt: int
    state: State

    @strawberry.field
    def flow(self, info: Info) -> Flow:
        return flows.flow(info.context.loaders.flow.load_existing(self.row.flow_id))

    @strawberry.field
    def version(self, info: Info) -> FlowVersion:
        return flows.version(info.context.loaders.version.load_existing(self.row.flow_version_id))

    @strawberry.field
    def agent(self, info: Info) -> Agent | None:
        row = None if self.row.agent_id is None else info.context.loaders.agent.load(self.row.agent_id)
        return None if row is None else agent(row, info.context)

    @described("Why the run has not started, in one sentence.")
    def wait_reason(self, info: Info) -> str | None:
        found = self._waiting(info)
        return None if found is None else found.sentence

    @described("The same as a stable code: not_due, limit, no_label, ...")
    def wait_code(self, info: Info) -> str | None:
        found = self._waiting(info)
        return None if found is None else found.code

    @described("The runs whose end it waits for, the longest at work first; at most 50.")
    def wait_holders(self, info: Info) -> list[WaitHolder]:
        found = self._waiting(info)
        holders = () if found is None else found.holders[:_MOST_HOLDERS]
        return [WaitHolder(id=holder.id, name=holder.name) for holder in holders]

    def _waiting(self, info: Info) -> Waiting | None:
        row, loaders = self.row, info.context.loaders
        if row.state_type not in ("SCHEDULED", "PENDING", "PAUSED"):
            return None
        return why(run_facts(row, loaders.flow.load_existing(row.flow_id)), loaders.situation())

    @described("Why the run failed; null unless it did.")
    def cause(self, info: Info) -> Cause | None:
        return _cause(self.row, info) if self.row.state_type == "FAILED" else None

    @described("The run's history, oldest first.")
    def states(self, info: Info) -> list[StateRecord]:
        return [
            StateRecord(
                version=row.version,
                attempt=row.attempt,
                type=row.type,
                name=row.name,
                message=row.message,
                at=row.at,
                actor=row.actor,
            )
            for row in states.of_flow_run(info.context.session(), self.id)
        ]

    @described("Of a finished run the recorded task runs; before that also those that are still to come, as waiting.")
    def task_counts(self, info: Info) -> TaskCounts:
        loaders, row = info.context.loaders, self.row
        recorded = loaders.task_counts.load(self.id) or Recorded()
        tasks = 0 if row.state_type in TERMINAL else loaders.graph_tasks.load(row.flow_version_id) or 0
        return _task_counts(recorded.by_type, max(0, tasks - recorded.tasks))

    @described("Log lines at ERROR or above.")
    def error_count(self, info: Info) -> int:
        return (info.context.loaders.log_counts.load(self.id) or (0, 0))[1]

    @strawberry.field
    def log_count(self, info: Info) -> int:
        return (info.context.loaders.log_counts.load(self.id) or (0, 0))[0]


BRIEF = frozenset({"__typename", "id", "name", "state", "scheduledTime", "startTime", "endTime", "attempt"})


@strawberry.type
class FlowRunPage:
    items: list[FlowRun]
    next: str | None
    total: int
    total_capped: bool


def flow_run(row: FlowRunRow) -> FlowRun:
    return FlowRun(
        row=row,
        id=row.id,
        name=row.name,
        parameters=row.parameters,
        labels=row.labels,
        created=row.created,
        created_by=row.created_by,
        trigger="schedule" if row.schedule_id is not None else row.created_by,
        scheduled_time=row.scheduled_time,
        start_time=row.start_time,
        end_time=row.end_time,
        attempt=row.attempt,
        state=state(row),
    )


def brief_run(row: RunSummary) -> FlowRun:
    """A run of which nothing but BRIEF is asked; what else a run has is left empty."""
    return FlowRun(
        row=cast(FlowRunRow, row),
        id=row.id,
        name=row.name,
        parameters={},
        labels=[],
        created=row.scheduled_time,
        created_by="",
        trigger="",
        scheduled_time=row.scheduled_time,
        start_time=row.start_time,
        end_time=row.end_time,
        attempt=row.attempt,
        state=state(row),
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


def _cause(row: FlowRunRow, info: Info) -> Cause:
    """A crash is its own cause, whatever its tasks were doing; else the first task that failed by itself."""
    loaders = info.context.loaders
    data = row.state_data or {}
    own, kept = loaders.failure_counts.load(row.id) or (0, 0)
    task = None if row.state_name == "Crashed" else loaders.failures.load(row.id)
    first_error = loaders.first_error.load(row.id)
    code, tail = data.get("exit_code"), data.get("tail")
    return Cause(
        task_slug=None if task is None else task.task_slug,
        map_index=None if task is None or task.map_index < 0 else task.map_index,
        message=row.state_message if task is None else task.state_message,
        location=(data if task is None else task.state_data or {}).get("location"),
        attempts=row.attempt if task is None else max(1, task.run_count),
        not_run=kept,
        other_roots=own if task is None else own - 1,
        exit_code=code if isinstance(code, int) else None,
        signal=data.get("signal"),
        tail=[str(line) for line in tail] if isinstance(tail, list) else [],
        last_success=loaders.last_success.load(row.flow_id),
        first_error_log_id=None if first_error is None else BigInt(first_error),
    )


def _task_counts(by_type: dict[str, int], to_come: int) -> TaskCounts:
    named = {
        "success": by_type.get("SUCCESS", 0),
        "failed": by_type.get("FAILED", 0),
        "running": by_type.get("RUNNING", 0),
        "waiting": sum(by_type.get(type, 0) for type in ("SCHEDULED", "PENDING", "PAUSED")) + to_come,
    }
    total = sum(by_type.values()) + to_come
    return TaskCounts(total=total, other=total - sum(named.values()), **named)
