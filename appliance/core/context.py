"""What code can ask about where it runs: the flow being built, the run and the task it is in.

Everything hangs on contextvars, so threads and event loops never see each other's context.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from appliance.kit import clock

if TYPE_CHECKING:
    from appliance.core.flow import Flow

active_flow: ContextVar[Flow | None] = ContextVar("active_flow", default=None)
active_tags: ContextVar[frozenset[str]] = ContextVar("active_tags", default=frozenset())
loading_flow: ContextVar[bool] = ContextVar("loading_flow", default=False)


@contextmanager
def loading() -> Iterator[None]:
    """While a flow file is being loaded: `flow.run()` and `flow.register()` at its bottom only warn."""
    token = loading_flow.set(True)
    try:
        yield
    finally:
        loading_flow.reset(token)


@contextmanager
def tags(*names: str) -> Iterator[None]:
    """Add tags to every task that is created inside the block."""
    token = active_tags.set(active_tags.get() | frozenset(names))
    try:
        yield
    finally:
        active_tags.reset(token)


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
        """A copy of just this, to travel to another process; results are stored where the run is."""
        copy = TaskRunContext(
            replace(self.flow_run, result=None), self.task_name, self.task_slug, self.task_tags, self.map_index
        )
        for key in ("resume", "task_loop_count", "task_loop_result", "task_run_count", "task_run_name"):
            setattr(copy, key, getattr(self, key))
        return copy


current_flow_run: ContextVar[FlowRunContext | None] = ContextVar("current_flow_run", default=None)
current_task_run: ContextVar[TaskRunContext | None] = ContextVar("current_task_run", default=None)

_FLOW_RUN_KEYS = ("flow_name", "parameters", "flow_run_id", "flow_run_name", "scheduled_start_time")
_TASK_RUN_KEYS = (
    *("map_index", "resume", "task_loop_count", "task_loop_result", "task_name"),
    *("task_run_count", "task_run_name", "task_slug", "task_tags"),
)
_DAYS = {"date": 0, "today": 0, "yesterday": -1, "tomorrow": 1}


class RunContext:
    """Read-only view of the run that the calling code is in: `context.parameters["n"]`, `context.map_index`, `context.today`..."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(f"The run context has no {name!r}; it exists only inside a running flow.") from error

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("The run context is read-only.")

    def __getitem__(self, name: str) -> Any:
        task_run = current_task_run.get()
        flow_run = task_run.flow_run if task_run is not None else current_flow_run.get()
        if name == "logger":
            from appliance.core.logs import get_logger

            return get_logger(None if task_run is None else task_run.task_name)
        if task_run is not None and name in _TASK_RUN_KEYS:
            return getattr(task_run, name)
        if flow_run is None:
            raise KeyError(name)
        if name in flow_run.extra:
            return flow_run.extra[name]
        if name in _FLOW_RUN_KEYS:
            return getattr(flow_run, name)
        return _dates(flow_run.scheduled_start_time, name)

    def __contains__(self, name: str) -> bool:
        return self.get(name, _MISSING) is not _MISSING

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default


def _dates(scheduled: datetime, name: str) -> Any:
    plain = name.removesuffix("_nodash")
    if plain not in _DAYS:
        raise KeyError(name)
    if name == "date":
        return scheduled
    return (scheduled + timedelta(days=_DAYS[plain])).strftime("%Y%m%d" if name.endswith("_nodash") else "%Y-%m-%d")


_MISSING = object()
context = RunContext()
