"""What the current flow run and task run know about themselves.

Both are contextvars, so threads and event loops never see each other's run.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from appliance.kit import clock


@dataclass(slots=True)
class FlowRunContext:
    """What all tasks of one flow run share."""

    flow_name: str
    parameters: Mapping[str, Any]
    flow_run_id: str | None = None
    flow_run_name: str | None = None
    scheduled_start_time: datetime = field(default_factory=clock.now)
    extra: Mapping[str, Any] = field(default_factory=dict)
    checkpointing: bool = False  # are results to be stored wherever there is a place for them?
    result: Any = None  # where the flow's results are stored unless a task says otherwise


class TaskRunContext:
    """What one task run knows about itself."""

    __slots__ = (
        *("flow_run", "map_index", "resume", "task_loop_count", "task_loop_result", "task_name"),
        *("task_run_count", "task_run_name", "task_slug", "task_tags"),
    )

    def __init__(
        self, flow_run: FlowRunContext, task_name: str, task_slug: str, task_tags: frozenset[str], map_index: int
    ) -> None:
        self.flow_run = flow_run
        self.task_name = task_name
        self.task_slug = task_slug
        self.task_tags = task_tags
        self.map_index = map_index
        self.task_run_name: str | None = None
        self.task_run_count = 1
        self.task_loop_count = 1
        self.task_loop_result: Any = None
        self.resume = False

    def snapshot(self) -> TaskRunContext:
        """A copy that can be sent to another process; results are stored where the run is."""
        copy = TaskRunContext(
            replace(self.flow_run, result=None), self.task_name, self.task_slug, self.task_tags, self.map_index
        )
        for key in ("resume", "task_loop_count", "task_loop_result", "task_run_count", "task_run_name"):
            setattr(copy, key, getattr(self, key))
        return copy


current_flow_run: ContextVar[FlowRunContext | None] = ContextVar("current_flow_run", default=None)
current_task_run: ContextVar[TaskRunContext | None] = ContextVar("current_task_run", default=None)
