"""Task runs, for scripts."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from appliance.protocol.message import Answer
from appliance.protocol.states import StateType

TaskRunSort: TypeAlias = Literal["index", "worst_first"]


class TaskRunView(Answer, kw_only=True):
    id: UUID
    task_slug: str
    map_index: int
    state: str
    state_type: StateType
    state_message: str
    run_count: int
    version: int
    start_time: datetime | None = None
    end_time: datetime | None = None
    child_flow_run_id: UUID | None = None  # the run that it has started


class TaskGroupStateView(Answer, kw_only=True):
    """How many of a task's runs are in one state, and the one with the lowest map index."""

    state: str
    state_type: StateType
    count: int
    first_map_index: int
    first_message: str
    start_time: datetime | None = None
    end_time: datetime | None = None


class TaskGroupView(Answer, kw_only=True):
    """One task of a run: `states` are those of its children if it is mapped, and otherwise its own. `start_time` is the first start, and
    `end_time` the last end."""

    task_slug: str
    mapped: bool
    count: int
    states: list[TaskGroupStateView]
    start_time: datetime | None = None
    end_time: datetime | None = None
