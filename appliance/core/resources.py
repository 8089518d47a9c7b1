"""Resource managers: what is set up before some tasks of a flow and cleaned up after them, however they end."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Generic, ParamSpec, overload

from appliance.core.building import authors_line
from appliance.core.edge import Edge
from appliance.core.errors import FlowBuildError, TaskDefinitionError
from appliance.core.flow import Flow, current_flow
from appliance.core.signals import SKIP
from appliance.core.states import State
from appliance.core.task import Task
from appliance.kit import options
from appliance.kit.option_names import refuse_unknown

P = ParamSpec("P")
_OPTIONS = ("name", "init_task_kwargs", "setup_task_kwargs", "cleanup_task_kwargs")


def resource_is_there(upstream: Mapping[Edge[Task], State]) -> bool:
    """The trigger of a clean-up: however the tasks in between ended, but only for a resource that was set up."""
    for edge, state in upstream.items():
        if edge.key is not None and (state.is_skipped() or not state.is_successful()):
            what = "was skipped" if state.is_skipped() else "failed"
            raise SKIP(f"There is nothing to clean up: {edge.upstream_task.name!r} {what}.")
    return True


class ResourceInit(Task):
    """Creates the object that sets up and cleans up."""

    always_rerun = True
    shares_result = True

    def __init__(self, resource_class: Callable[..., Any], **options: Any) -> None:
        self.run = resource_class  # type: ignore[method-assign]
        super().__init__(**options)


class ResourceSetup(Task):
    """Its result is the resource: what `setup` returns, or the object itself if it has no `setup`."""

    always_rerun = True
    shares_result = True

    def run(self, owner: Any) -> Any:
        return owner.setup() if hasattr(owner, "setup") else owner


class ResourceCleanup(Task):
    """Runs after all tasks of the block, even if they failed or the run was cancelled."""

    always_rerun = True
    runs_on_cancel = True
    default_trigger = staticmethod(resource_is_there)
    default_skip_on_upstream_skip = False

    def run(self, owner: Any, resource: Any) -> Any:
        done = owner.cleanup(resource)
        return _awaited(done) if inspect.isawaitable(done) else None


async def _awaited(done: Awaitable[Any]) -> None:
    await done


class ResourceBlock:
    """Tasks called inside this `with` block run between set-up and clean-up."""

    def __init__(self, owner: ResourceManager[Any], flow: Flow, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._owner, self._flow, self._args, self._kwargs = owner, flow, args, kwargs
        self.name = owner.name

    def __enter__(self) -> Task:
        """The task whose result is the resource."""
        owner, flow = self._owner, self._flow
        flow.unused.pop(self, None)
        init = ResourceInit(owner.resource_class, **{"name": owner.name, **owner.init_task_kwargs})
        self._init = init.bind(*self._args, flow=flow, **self._kwargs)
        setup = ResourceSetup(**{"name": f"{owner.name}.setup", **owner.setup_task_kwargs})
        self._setup = setup.bind(self._init, flow=flow)
        self._before = set(flow.slugs)
        return self._setup

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        flow, owner = self._flow, self._owner
        inside = {task for task in flow.tasks if task not in self._before}
        for task in flow.tasks:
            if task in inside and inside.union([self._setup]).isdisjoint(flow.upstream_tasks(task)):
                task.set_upstream(self._setup, flow=flow)
        last = [task for task in flow.tasks if task in inside and not inside.intersection(flow.downstream_tasks(task))]
        cleanup = ResourceCleanup(**{"name": f"{owner.name}.cleanup", **owner.cleanup_task_kwargs})
        cleanup.bind(self._init, self._setup, upstream_tasks=last, flow=flow)


class ResourceManager(Generic[P]):
    """What `@resource_manager` turns a class into; calling it inside a flow returns the block to enter."""

    def __init__(
        self,
        resource_class: Callable[P, Any],
        name: str | None = None,
        init_task_kwargs: Mapping[str, Any] | None = None,
        setup_task_kwargs: Mapping[str, Any] | None = None,
        cleanup_task_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        """Raises TaskDefinitionError for a class without `cleanup`."""
        if not callable(getattr(resource_class, "cleanup", None)):
            raise TaskDefinitionError(
                f"Resource manager {getattr(resource_class, '__name__', resource_class)!r} has no cleanup(); define it."
            )
        self.resource_class = resource_class
        self.name: str = options.text("name", name) or str(getattr(resource_class, "__name__", "resource"))
        self.init_task_kwargs = options.mapping("init_task_kwargs", init_task_kwargs)
        self.setup_task_kwargs = options.mapping("setup_task_kwargs", setup_task_kwargs)
        self.cleanup_task_kwargs = options.mapping("cleanup_task_kwargs", cleanup_task_kwargs)

    def __call__(self, *args: Any, flow: Flow | None = None, **kwargs: Any) -> ResourceBlock:
        """The arguments of the class, each of which may be a task."""
        flow = flow or current_flow()
        if flow is None:
            raise FlowBuildError(
                f"Resource manager {self.name!r} was used outside a flow; use it inside `with Flow(...)`."
            )
        block = ResourceBlock(self, flow, args, kwargs)
        flow.unused[block] = authors_line()
        return block


@overload
def resource_manager(resource_class: Callable[P, Any], /) -> ResourceManager[P]: ...
@overload
def resource_manager(
    *,
    name: str | None = None,
    init_task_kwargs: Mapping[str, Any] | None = None,
    setup_task_kwargs: Mapping[str, Any] | None = None,
    cleanup_task_kwargs: Mapping[str, Any] | None = None,
) -> Callable[[Callable[P, Any]], ResourceManager[P]]: ...
def resource_manager(resource_class: Callable[..., Any] | None = None, /, **task_options: Any) -> Any:
    """Make a resource manager from a class with `setup()`, which returns the resource, and `cleanup(resource)`.

    Without `setup`, the object itself is the resource.

    `with Manager(...) as resource:` in a flow: the tasks called inside run between the two. The clean-up runs also when they
    fail and when the run is cancelled; it is skipped when there was no set-up. The last tasks inside decide the state of the
    flow, not the clean-up. All three run again in a restart. `init_task_kwargs` and the like are options of the three tasks.

    mypy ignores class decorators that change the type; to satisfy it, write `connection = resource_manager(Connection)`.
    """
    if resource_class is not None:
        return ResourceManager(resource_class, **task_options)
    refuse_unknown("A resource manager", task_options, _OPTIONS)
    return functools.partial(ResourceManager, **task_options)
