"""Rows of flow runs."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from sqlalchemy import ColumnElement

from appliance.kit.documents import JsonDocument, Parameters
from appliance.protocol.states import StateType
from appliance.server.db.rows.row_type import RowType
from appliance.server.domain.attempt_usage import AttemptUsage


class LockedRun(RowType):
    """What the rules need to know of a run; it is locked until the transaction ends."""

    id: UUID
    flow_id: UUID
    flow_version_id: UUID
    name: str
    state_type: StateType
    state_name: str
    state_at: datetime
    version: int
    attempt: int
    agent_id: UUID | None
    lease_expires_at: datetime | None
    last_seq: int
    report_bytes: int
    cancel_requested: bool
    start_time: datetime | None
    end_time: datetime | None
    times_resurrected: int
    scheduled_time: datetime
    has_known_failures: bool


class AttemptRun(LockedRun):
    """The same, and what an attempt of the run works with."""

    parameters: Parameters
    context: JsonDocument
    due_at: datetime | None
    run_config: JsonDocument
    storage: JsonDocument
    flow: str
    paused: bool
    project: str


class ClaimedRun(RowType):
    """A run that was just handed to an agent."""

    id: UUID
    attempt: int
    version: int
    name: str
    priority: int
    scheduled_time: datetime
    flow_version_id: UUID
    run_config: JsonDocument


class HeldRun(RowType):
    """What an agent needs to know of a run that it reports."""

    id: UUID
    attempt: int
    agent_id: UUID | None
    state_type: StateType
    state_name: str
    state_message: str


class RunningRun(RowType):
    """A run that is running, and what decides how long it may."""

    id: UUID
    start_time: datetime
    run_config: JsonDocument
    settings: JsonDocument


class RunEnd(RowType):
    """How a run has ended."""

    id: UUID
    state_name: str


class LateRun(RowType):
    """A run that was just marked Late."""

    id: UUID
    version: int
    attempt: int


class RunToken(RowType):
    """What a run token is checked against."""

    run_token_hash: str | None
    attempt: int
    state_type: StateType
    state_at: datetime


class LiveRun(RowType):
    """A run in progress, which may hold a slot of a flow's or a label's limit."""

    id: UUID
    name: str
    flow_id: UUID
    labels: list[str]
    start_time: datetime | None
    state_at: datetime


class StripRun(RowType):
    """What a mark in a strip of runs needs."""

    id: UUID
    flow_id: UUID
    name: str
    scheduled_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    state_type: StateType
    state_name: str


class RunSummary(RowType):
    """What a brief line about a run needs."""

    id: UUID
    flow_id: UUID
    name: str
    attempt: int
    scheduled_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    state_type: StateType
    state_name: str
    state_message: str
    state_data: JsonDocument | None
    state_at: datetime
    version: int


class FlowRunRow(RunSummary):
    """What lists need of a run."""

    flow_version_id: UUID
    schedule_id: UUID | None
    due_at: datetime | None
    idempotency_key: str | None
    parameters: Parameters
    labels: list[str]
    priority: int
    agent_id: UUID | None
    results_at: str | None
    cpu_seconds: float | None
    peak_memory: int | None
    created: datetime
    created_by: str
    parent_flow_run_id: UUID | None
    parent_task_slug: str | None
    parent_map_index: int | None


class ChildRow(RowType):
    """A run that a task run has started, for that task run."""

    id: UUID
    name: str
    flow: str
    state_type: StateType
    state_name: str
    state_message: str
    parent_waits: bool
    parent_try: str | None


class Starter(RowType):
    """A run whose tasks may start runs, with its version."""

    flow_version_id: UUID
    number: int
    flow: str
    project: str
    graph: JsonDocument


class PastRunRow(RowType):
    """What the history of a flow needs of a run. `number` is that of its version."""

    id: UUID
    flow_version_id: UUID
    name: str
    scheduled_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    state_type: StateType
    state_name: str
    state_message: str
    state_at: datetime
    stored_rows: int
    number: int


class RunUsageRow(RowType):
    """What a run and its attempts have used."""

    cpu_seconds: float | None
    peak_memory: int | None
    attempt_usage: list[AttemptUsage] | None


class UsedRun(RowType):
    """What a run has used, and how it was started."""

    cpu_seconds: float | None
    peak_memory: int | None
    run_config: JsonDocument


class RunStart(RowType):
    """How a run is started, and who said each part."""

    id: UUID
    run_config: JsonDocument
    overrides: JsonDocument | None
    storage_type: str


class NewFlowRun(TypedDict):
    """A run to insert."""

    id: UUID
    flow_id: UUID
    flow_version_id: UUID
    schedule_id: UUID | None
    due_at: datetime | None
    idempotency_key: str | None
    name: str
    parameters: Parameters
    context: JsonDocument
    labels: list[str]
    run_config: JsonDocument
    overrides: JsonDocument | None
    priority: int
    parent_flow_run_id: UUID | None
    parent_task_slug: str | None
    parent_map_index: int | None
    parent_waits: bool
    scheduled_time: datetime
    state_type: str
    state_name: str
    state_message: str
    state_data: JsonDocument | None
    state_at: datetime
    version: int
    attempt: int
    last_seq: int
    report_bytes: int
    stored_rows: int
    stored_bytes: int
    log_rows: int
    log_bytes: int
    cancel_requested: bool
    times_resurrected: int
    created: datetime
    created_by: str


class FlowRunColumns(TypedDict, total=False):
    """The columns that a change of a run may set."""

    flow_version_id: UUID
    due_at: datetime | ColumnElement[datetime] | None
    name: str
    parameters: Parameters
    context: JsonDocument
    labels: list[str]
    run_config: JsonDocument
    overrides: JsonDocument | None
    priority: int
    scheduled_time: datetime
    state_type: str
    state_name: str
    state_message: str
    state_data: JsonDocument | None
    state_at: datetime
    version: int
    attempt: int
    run_token_hash: str | None
    agent_id: UUID | None
    lease_expires_at: datetime | None
    last_seq: int
    report_bytes: int
    cancel_requested: bool
    start_time: datetime | None
    end_time: datetime | None
    times_resurrected: int
    results_at: str | None


class AttemptToken(TypedDict):
    """The hash of the token of a run's attempt."""

    run: UUID
    hash: str
