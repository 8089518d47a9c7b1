"""One task run as it passes through the steps, and the type of a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from appliance.core.cache_validators import Lookup
from appliance.core.edge import Edge
from appliance.core.run_context import FlowRunContext, TaskRunContext
from appliance.core.states import Pending, State
from appliance.core.task import Task
from appliance.engine.calls import Invocation
from appliance.engine.output.streams import Streams
from appliance.engine.results.run_packs import RunPacks

_NONE: Mapping[Any, Any] = {}


class TaskRun(TaskRunContext):
    """One task run as it passes through the steps. It is also the run context that the task's code sees."""

    __slots__ = (
        "constants",
        "ended",
        "existing",
        "flat",
        "inputs",
        "lookup",
        "reported",
        "restarts",
        "state",
        "task",
        "upstream",
    )

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
        self.flat: Mapping[Edge[Task], State] = _NONE
        """The upstream states whose results it gets flattened."""
        self.state: State = Pending()
        self.reported: State = self.state
        self.ended = False
        self.restarts = 0
        self.existing: State | None = None
        """The existing result of an earlier run, or the failure to find it. If set, it is used instead of running the code."""
        self.lookup: Lookup | None = None
        """Where to record the result, so that later runs find it."""

    def __str__(self) -> str:
        return f"{self.task_name!r}" if self.map_index < 0 else f"{self.task_name!r}[{self.map_index}]"


class Runner(Protocol):
    """What the steps need from the runner."""

    should_stop: Callable[[], bool]
    """Must the flow run stop?"""

    invoke: Callable[[Invocation], State] | None
    """Runs the code of tasks elsewhere. If None, it runs in place."""

    outputs: tuple[Streams | None, Streams | None]
    """What happens to the output of tasks without and with `log_stdout`; see `calls.carry_out`."""

    output: Streams | None
    """The same for tasks that don't say."""

    packs: RunPacks | None
    """Where small results go. If None, each is stored alone."""


Step = Callable[[Runner, TaskRun], State | None]
"""Returns the next state, or None for no change, and sets `run.ended` to stop there."""
