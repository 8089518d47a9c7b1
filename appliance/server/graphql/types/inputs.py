"""Filters and the inputs of mutations."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from uuid import UUID

import strawberry

from appliance.server.graphql.scalars import JSON
from appliance.server.graphql.types.flows import Flow, FlowRun
from appliance.server.graphql.types.logs import LogStream

ANYWHERE = "Let any agent take the run; tasks whose results only some agents can read run again."


@strawberry.input
class FlowFilter:
    project: str | None = None
    name: str | None = strawberry.field(default=None, description="Matches any part of a flow's name.")
    archived: bool | None = False


@strawberry.input(description="Unless states are chosen, runs that are scheduled for later are left out.")
class FlowRunFilter:
    q: str | None = strawberry.field(
        default=None,
        description="The whole filter as text, such as `state:failed flow:etl-* since:7d`; only stateTypes and flowId narrow it further.",
    )
    state_types: list[str] | None = None
    state_names: list[str] | None = None
    flow_id: UUID | None = None
    flow: str | None = strawberry.field(default=None, description="A flow's name, or project/flow.")
    project: str | None = None
    name: str | None = strawberry.field(default=None, description="The whole name of runs.")
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    labels: list[str] | None = strawberry.field(default=None, description="Runs that have all of these labels.")
    parameters: JSON | None = strawberry.field(
        default=None, description="Runs that have these values of parameters: texts, numbers, true, false, or null."
    )
    longer_than: float | None = strawberry.field(
        default=None, description="Runs that took more seconds from their start to their end, or to now."
    )
    shorter_than: float | None = strawberry.field(default=None, description="Runs that took fewer seconds so far.")
    parent: UUID | None = strawberry.field(default=None, description="Runs that tasks of this run have started.")
    include_future: bool | None = False


@strawberry.enum(
    description="The time that runs are sorted by. Runs without this time are not listed. WAITING lists those that have not started: the"
    " latest first, then paused ones, then planned ones."
)
class FlowRunSort(Enum):
    SCHEDULED_TIME_DESC = "-scheduled_time"
    SCHEDULED_TIME_ASC = "scheduled_time"
    START_TIME_DESC = "-start_time"
    START_TIME_ASC = "start_time"
    END_TIME_DESC = "-end_time"
    END_TIME_ASC = "end_time"
    WAITING = "waiting"


@strawberry.input
class TaskRunFilter:
    state_types: list[str] | None = None
    state_names: list[str] | None = None
    task_slug: str | None = None
    map_index: int | None = None
    children: bool | None = strawberry.field(default=False, description="Only children of mapped tasks.")


@strawberry.enum(description="WORST_FIRST: failures, what is under way, what waits, what did not run, what went well.")
class TaskRunSort(Enum):
    INDEX = "index"
    WORST_FIRST = "worst_first"


@strawberry.input
class LogFilter:
    min_level: int | None = None
    task_slug: str | None = None
    map_index: int | None = None
    text: str | None = None
    stream: LogStream | None = None


@strawberry.input
class LogSearchFilter:
    flow_id: UUID | None = None
    flow: str | None = strawberry.field(default=None, description="A flow's name, or project/flow.")
    project: str | None = None
    min_level: int | None = None
    since: datetime | None = strawberry.field(default=None, description="Lines written at or after this time.")
    until: datetime | None = strawberry.field(default=None, description="Lines written before this time.")


@strawberry.input
class CreateFlowRunInput:
    flow_id: UUID
    parameters: JSON | None = None
    name: str | None = None
    labels: list[str] | None = None
    scheduled_time: datetime | None = None
    run_config: JSON | None = strawberry.field(
        default=None, description="Over that of the flow, field by field; one of another kind replaces it."
    )
    idempotency_key: str | None = None


@strawberry.input(description="Repeating the request with the same idempotency key has no further effect.")
class CancelFlowRunInput:
    flow_run_id: UUID
    reason: str | None = None
    idempotency_key: str | None = None
    version: int | None = None


@strawberry.input(description="Repeating the request with the same idempotency key has no further effect.")
class PauseFlowRunInput:
    flow_run_id: UUID
    reason: str | None = None
    idempotency_key: str | None = None
    version: int | None = None


@strawberry.input(description="Without a task, all paused tasks of the run resume.")
class ResumeFlowRunInput:
    flow_run_id: UUID
    task_slug: str | None = None
    map_index: int | None = None
    anywhere: bool = strawberry.field(default=False, description=ANYWHERE)
    reason: str | None = None
    idempotency_key: str | None = None
    version: int | None = None


@strawberry.input(description="Repeating the request with the same idempotency key has no further effect.")
class RestartFlowRunInput:
    flow_run_id: UUID
    newest_version: bool = strawberry.field(
        default=False, description="Use the flow's latest version instead of the run's own."
    )
    from_task: str | None = strawberry.field(
        default=None, description="The slug of a task that also runs again, with everything downstream of it."
    )
    parameters: JSON | None = strawberry.field(default=None, description="New values for some of the parameters.")
    anywhere: bool = strawberry.field(default=False, description=ANYWHERE)
    reason: str | None = None
    idempotency_key: str | None = None
    version: int | None = None


@strawberry.enum(description="The state to set when a run or task run is marked by hand.")
class MarkedState(Enum):
    SUCCESS = "Success"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    SKIPPED = "Skipped"


@strawberry.input(description="Without a task, the run itself is marked. It must not be active.")
class MarkFlowRunInput:
    flow_run_id: UUID
    state: MarkedState
    task_slug: str | None = None
    map_index: int = -1
    reason: str | None = None
    idempotency_key: str | None = None
    version: int | None = None


@strawberry.input
class StartFlowRunNowInput:
    flow_run_id: UUID
    reason: str | None = None
    idempotency_key: str | None = None
    version: int | None = None


@strawberry.input(
    description="Omitted fields keep their values. With a version, the change is rejected if the run is at another version."
)
class EditFlowRunInput:
    flow_run_id: UUID
    name: str | None = None
    labels: list[str] | None = None
    priority: int | None = None
    scheduled_time: datetime | None = None
    reason: str | None = None
    idempotency_key: str | None = None
    version: int | None = None


@strawberry.input
class DeleteFlowRunInput:
    flow_run_id: UUID
    reason: str | None = None
    idempotency_key: str | None = None
    version: int | None = None


@strawberry.input(
    description="With 0 seconds, runs may take as long as they need. With null, the flow's code decides, or else the site."
)
class SetRunTimeoutInput:
    flow_id: UUID
    seconds: float | None = None
    idempotency_key: str | None = None


@strawberry.type
class SetRunTimeoutPayload:
    flow: Flow


@strawberry.type
class CreateFlowRunPayload:
    flow_run: FlowRun
    warnings: list[str] = strawberry.field(description="What the run will wait for, one sentence each.")


@strawberry.type
class SetFlowDefaultsPayload:
    flow: Flow


@strawberry.type
class CancelFlowRunPayload:
    flow_run: FlowRun


@strawberry.type
class PauseFlowRunPayload:
    flow_run: FlowRun


@strawberry.type
class ResumeFlowRunPayload:
    flow_run: FlowRun


@strawberry.type
class RestartFlowRunPayload:
    flow_run: FlowRun


@strawberry.type
class MarkFlowRunPayload:
    flow_run: FlowRun


@strawberry.type
class StartFlowRunNowPayload:
    flow_run: FlowRun


@strawberry.type
class EditFlowRunPayload:
    flow_run: FlowRun


@strawberry.type
class DeleteFlowRunPayload:
    flow_run_id: UUID
