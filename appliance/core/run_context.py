"""What the current flow run and task run know about themselves.

Both are contextvars, so threads and event loops never see each other's run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Any

from appliance.core.errors import ParameterError
from appliance.kit import clock

_TIMES = ("date", "scheduled_start_time")


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
    running_with_backend: bool = False  # does a server track the run?
    result: Any = None  # where the flow's results are stored unless a task says otherwise
    children: dict[str, Any] = field(
        default_factory=dict
    )  # the runs that its tasks have started in this process, by id
    artifacts: dict[Any, Any] = field(
        default_factory=dict
    )  # what it has made outside of tasks: how many by kind and key

    def __post_init__(self) -> None:
        """Raises ParameterError for a time in `extra` that isn't one."""
        self.extra = {**self.extra, **{name: _instant(name, self.extra[name]) for name in _TIMES if name in self.extra}}

    @property
    def date(self) -> datetime:
        """The time that the run stands for; today, yesterday and tomorrow follow from it."""
        at: datetime = self.extra.get("date") or self.extra.get("scheduled_start_time") or self.scheduled_start_time
        return at


def _instant(name: str, value: Any) -> datetime:
    """A time given in the run's context, as an aware datetime; UTC is meant where no offset is given."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        at = None
    if isinstance(at, date) and not isinstance(at, datetime):
        at = datetime.combine(at, time())
    if not isinstance(at, datetime):
        raise ParameterError(
            f"context[{name!r}] must be a date or a time in ISO 8601, such as 2026-01-31, not {value!r}."
        )
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


class TaskRunContext:
    """What one task run knows about itself."""

    __slots__ = (
        *(
            "artifacts",
            "flow_run",
            "map_index",
            "own_values",
            "rendered_name",
            "resume",
            "task_loop_count",
            "task_loop_result",
        ),
        *("task_name", "task_run_count", "task_slug", "task_tags"),
    )

    def __init__(
        self, flow_run: FlowRunContext, task_name: str, task_slug: str, task_tags: frozenset[str], map_index: int
    ) -> None:
        self.flow_run = flow_run
        self.task_name = task_name
        self.task_slug = task_slug
        self.task_tags = task_tags
        self.map_index = map_index
        self.artifacts: dict[Any, Any] = {}
        """What this try has made: how many by kind, key, and round of the loop, and how far which bar is."""
        self.own_values: dict[str, Any] | None = None
        """This attempt's copies of collections in the context, made when its code first asks for them."""
        self.rendered_name: str | None = None
        """The name from the task's template, if it has one."""
        self.task_run_count = 1
        self.task_loop_count = 1
        self.task_loop_result: Any = None
        self.resume = False

    @property
    def task_full_name(self) -> str:
        """The name, with the index of a mapped child."""
        return self.task_name if self.map_index < 0 else f"{self.task_name}[{self.map_index}]"

    @property
    def task_run_name(self) -> str:
        """The name from the task's template; otherwise the slug, with the index of a mapped child."""
        if self.rendered_name is not None:
            return self.rendered_name
        return self.task_slug if self.map_index < 0 else f"{self.task_slug}[{self.map_index}]"

    @property
    def task_run_id(self) -> str:
        """The id of this task run, which is also that on the server."""
        from uuid import NAMESPACE_OID, UUID, uuid5  # with what it needs, this would double the time to import the SDK

        from appliance.kit import ids

        run = self.flow_run.flow_run_id or ""
        try:
            parent = UUID(run)
        except ValueError:  # the caller's own kind of id
            parent = uuid5(NAMESPACE_OID, run)
        return str(ids.derived(parent, self.task_slug, self.map_index))

    def snapshot(self) -> TaskRunContext:
        """A copy that can be sent to another process; results are stored where the run is."""
        copy = TaskRunContext(
            replace(self.flow_run, result=None, children={}),
            self.task_name,
            self.task_slug,
            self.task_tags,
            self.map_index,
        )
        for key in ("artifacts", "rendered_name", "resume", "task_loop_count", "task_loop_result", "task_run_count"):
            setattr(copy, key, getattr(self, key))
        return copy


current_flow_run: ContextVar[FlowRunContext | None] = ContextVar("current_flow_run", default=None)
current_task_run: ContextVar[TaskRunContext | None] = ContextVar("current_task_run", default=None)
stop_requested: ContextVar[Callable[[], bool]] = ContextVar("stop_requested", default=lambda: False)
"""Must the current flow run stop? For code in threads, where nothing interrupts it."""
