"""Rows of task runs and their histories."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from appliance.kit.documents import JsonDocument
from appliance.protocol.states import StateType
from appliance.server.db.rows.row_type import RowType


class FailedTaskRun(RowType):
    """What is shown of the task that made a run fail."""

    flow_run_id: UUID
    task_slug: str
    map_index: int
    state_message: str
    state_data: JsonDocument | None
    run_count: int


class TaskRunRow(RowType):
    """A whole task run."""

    id: UUID
    flow_run_id: UUID
    task_slug: str
    map_index: int
    name: str
    state_type: StateType
    state_name: str
    state_message: str
    state_data: JsonDocument | None
    state_at: datetime
    version: int
    attempt: int
    run_count: int
    cache_key: str | None
    result_location: str | None
    tags: list[str]
    start_time: datetime | None
    end_time: datetime | None
    created: datetime


class TaskGroupRow(RowType):
    """What is known of a task's runs that are in one state: of its children, or of the task itself. `lowest` is a map index."""

    task_slug: str
    state_type: StateType
    state_name: str
    lowest: int
    number: int
    first_start: datetime | None
    last_end: datetime | None


class TaskSpanRow(RowType):
    """When a task run was under way, and how it ended."""

    flow_run_id: UUID
    task_slug: str
    map_index: int
    state_type: StateType
    state_name: str
    run_count: int
    start_time: datetime | None
    end_time: datetime | None


class TaskStateRow(RowType):
    """A state in a task run's history, as timelines need it."""

    task_run_id: UUID
    version: int
    type: StateType
    name: str
    at: datetime


class StoredTaskRun(RowType):
    """What a report needs to know of an existing task run."""

    id: UUID
    name: str
    state_type: StateType
    state_name: str
    version: int
    attempt: int
    run_count: int
    result_location: str | None
    start_time: datetime | None
    end_time: datetime | None


class EarlierTaskRun(RowType):
    """What a later attempt needs to know of a task run."""

    task_slug: str
    map_index: int
    state_type: StateType
    state_name: str
    state_message: str
    state_data: JsonDocument | None
    result_location: str | None
    run_count: int


class EndedTaskRun(RowType):
    """What a restart or a resume needs to know of a task run."""

    id: UUID
    task_slug: str
    map_index: int
    state_type: StateType
    state_name: str
    state_data: JsonDocument | None
    attempt: int
    result_location: str | None
    start_time: datetime | None


class PausedTaskRun(RowType):
    """A task run that waits for a person."""

    id: UUID
    state_data: JsonDocument | None


class TimedTaskRun(RowType):
    """A task run that waits for a time of its own, which is in its data."""

    id: UUID
    state_name: str
    state_data: JsonDocument


class TaskRunResult(RowType):
    """What marking a task run needs to know of it."""

    id: UUID
    state_data: JsonDocument | None
    result_location: str | None
    end_time: datetime | None


class GivenResult(RowType):
    """How a task run has ended and where its result is stored, for the parent of its run."""

    map_index: int
    state_type: StateType
    state_name: str
    state_message: str
    state_data: JsonDocument | None
    result_location: str | None


class TaskRunColumns(TypedDict):
    """The columns of a task run that a report changes."""

    name: str
    state_type: str
    state_name: str
    state_message: str
    state_data: JsonDocument | None
    state_at: datetime
    version: int
    attempt: int
    run_count: int
    result_location: str | None
    start_time: datetime | None
    end_time: datetime | None


class NewTaskRun(TaskRunColumns):
    """A task run to insert."""

    id: UUID
    flow_run_id: UUID
    task_slug: str
    map_index: int
    cache_key: str | None
    tags: list[str]
    created: datetime


class TaskRunUpdate(TypedDict):
    """The values of the statement that updates a stored task run."""

    run: UUID
    new_name: str
    new_state_type: str
    new_state_name: str
    new_state_message: str
    new_state_data: JsonDocument | None
    new_state_at: datetime
    new_version: int
    new_attempt: int
    new_run_count: int
    new_result_location: str | None
    new_start_time: datetime | None
    new_end_time: datetime | None


class ClearedColumns(TypedDict, total=False):
    """What else `move` may set besides the state."""

    run_count: int
    result_location: str | None
    start_time: datetime | None
    end_time: datetime | None


class NewTaskState(TypedDict):
    """A state to append to a task run's history."""

    type: str
    name: str
    message: str
    data: JsonDocument | None
    at: datetime
    task_run_id: UUID
    version: int
    attempt: int
