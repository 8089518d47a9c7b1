"""One task run on its way through the steps, and what a step is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from appliance.core.cache_validators import Lookup
from appliance.core.edge import Edge
from appliance.core.run_context import FlowRunContext, TaskRunContext
from appliance.core.states import Pending, State
from appliance.core.task import Task
from appliance.engine.calls import Invocation


class TaskRun(TaskRunContext):
    """One task run on its way through the steps; it is also the run context that the task's code sees."""

    __slots__ = ("constants", "ended", "found", "inputs", "lookup", "state", "task", "told", "upstream")

    def __init__(
        self,
        flow_run: FlowRunContext,
        task: Task,
        slug: str,
        map_index: int,
        upstream: Mapping[Edge[Task], State],
        constants: dict[str, Any] | None,
    ) -> None:
        super().__init__(flow_run, task.name, slug, task.tags, map_index)
        self.task = task
        self.upstream = upstream
        self.constants = constants
        self.inputs: dict[str, Any] = {}
        self.state: State = Pending()
        self.told: State = self.state
        self.ended = False
        self.found: State | None = None
        """What an earlier run of the task left behind, or why that can't be known: used instead of running the code."""
        self.lookup: Lookup | None = None
        """Where the result is noted so that later runs find it."""

    def __str__(self) -> str:
        return f"{self.task_name!r}" if self.map_index < 0 else f"{self.task_name!r}[{self.map_index}]"


class Runner(Protocol):
    """What the steps ask of the runner that takes a task run through them."""

    should_stop: Callable[[], bool]
    """Is the flow run to be cancelled?"""

    invoke: Callable[[Invocation], State] | None
    """Has the code of tasks run elsewhere; None: in place."""


Step = Callable[[Runner, TaskRun], State | None]
"""Returns the next state, or None for no change, and sets `run.ended` to stop there."""
