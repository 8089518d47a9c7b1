"""A flow: a named graph of tasks with its parameters, schedule and settings."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import Token
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from appliance.core.annotations import unwrap
from appliance.core.collections import as_task, holds_task
from appliance.core.context import active_flow, loading_flow
from appliance.core.edge import Edge
from appliance.core.errors import FlowBuildError
from appliance.core.graph import Graph
from appliance.core.parameter import Parameter
from appliance.core.run_config import RunConfig
from appliance.core.schedules import Clock, Schedule
from appliance.core.states import State
from appliance.core.task import StateHandler, Task, state_handlers_of

if TYPE_CHECKING:
    from appliance.core.results import Result

TerminalStateHandler = Callable[["Flow", State, Mapping[Task, State]], State | None]


class Flow:
    """`with Flow("name") as flow:` collects the tasks that are called inside; `flow.run()` runs them here and now."""

    result: Result | None = None

    def __init__(
        self,
        name: str,
        schedule: Schedule | Clock | None = None,
        executor: Any = None,
        run_config: RunConfig | None = None,
        storage: Any = None,
        tasks: Iterable[Task] = (),
        edges: Iterable[Edge] = (),
        reference_tasks: Iterable[Task] = (),
        state_handlers: Iterable[StateHandler] | None = None,
        on_failure: Callable[[Any, State], State | None] | None = None,
        terminal_state_handler: TerminalStateHandler | None = None,
        validate: bool = False,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise FlowBuildError('A flow needs a name: Flow("my-flow").')
        self.name = name
        self.schedule = Schedule([schedule]) if isinstance(schedule, Clock) else schedule
        self.executor = executor
        self.run_config = run_config
        self.storage = storage
        self.state_handlers = state_handlers_of(state_handlers, on_failure)
        self.terminal_state_handler = terminal_state_handler
        self.graph = Graph()
        self.constants: dict[Task, dict[str, Any]] = {}
        self._reference_tasks: tuple[Task, ...] = ()
        self._tokens: list[Token[Flow | None]] = []
        for task in tasks:
            self.add_task(task)
        for edge in edges:
            self.graph.add_edge(edge)
        self.set_reference_tasks(reference_tasks)
        if validate:
            self.validate()

    def __enter__(self) -> Flow:
        self._tokens.append(active_flow.set(self))
        return self

    def __exit__(self, *_exception: object) -> None:
        active_flow.reset(self._tokens.pop())

    def __repr__(self) -> str:
        return f"<Flow {self.name}>"

    # --- building

    def add_task(self, task: Task) -> Task:
        """Add a task that depends on nothing yet."""
        if not isinstance(task, Task):
            raise TypeError(f"A flow is made of tasks; {task!r} is none.")
        self.graph.add_task(task)
        return task

    def add_edge(
        self,
        upstream_task: Task,
        downstream_task: Task,
        key: str | None = None,
        mapped: bool = False,
        flattened: bool = False,
    ) -> Edge:
        """Make `downstream_task` wait for `upstream_task`, and receive its result as argument `key` when given."""
        if key is not None:
            if not downstream_task.accepts(key):
                raise FlowBuildError(
                    f"Task {downstream_task.name!r} has no argument {key!r}; it has {', '.join(downstream_task.inputs())}."
                )
            if key in self.constants.get(downstream_task, ()):
                raise FlowBuildError(
                    f"Argument {key!r} of task {downstream_task.name!r} already has a value; give it once."
                )
        return self.graph.add_edge(Edge(upstream_task, downstream_task, key, mapped, flattened))

    def chain(self, *tasks: Task) -> list[Edge]:
        """Each task waits for the one before it."""
        return [self.add_edge(before, after) for before, after in pairwise(tasks)]

    def set_dependencies(
        self,
        task: Task,
        upstream_tasks: Iterable[Any] | None = None,
        downstream_tasks: Iterable[Task] | None = None,
        keyword_tasks: Mapping[str, Any] | None = None,
        mapped: bool = False,
    ) -> None:
        """All kinds of dependencies of a task at once. Values that are no tasks are kept as constants beside the graph."""
        token = active_flow.set(self)  # collections of tasks become tasks of this flow
        try:
            upstream: list[tuple[str | None, Task, bool, bool]] = []
            for argument in upstream_tasks or ():
                value, is_mapped, flattened = unwrap(argument, mapped)
                upstream.append((None, as_task(value), is_mapped, flattened))
            for key, argument in (keyword_tasks or {}).items():
                value, is_mapped, flattened = unwrap(argument, mapped)
                if not is_mapped and not isinstance(value, Task) and not holds_task(value):
                    self._set_constant(task, key, value)
                else:
                    upstream.append((key, as_task(value), is_mapped, flattened))
            for _, found, _, _ in upstream:
                self.graph.add_task(found)
            self.graph.add_task(task)
            for name, found, is_mapped, flattened in upstream:
                self.add_edge(found, task, name, is_mapped, flattened)
            for after in downstream_tasks or ():
                self.add_edge(task, after)
        finally:
            active_flow.reset(token)

    def _set_constant(self, task: Task, key: str, value: Any) -> None:
        if not task.accepts(key):
            raise FlowBuildError(f"Task {task.name!r} has no argument {key!r}; it has {', '.join(task.inputs())}.")
        self.constants.setdefault(task, {})[key] = value

    def update(self, flow: Flow) -> None:
        """Take over all tasks, edges and constants of another flow."""
        for task in flow.tasks:
            task.slug = task.slug if isinstance(task, Parameter) else None
            self.graph.add_task(task)
        for edge in flow.edges:
            self.graph.add_edge(edge)
        for task, constants in flow.constants.items():
            self.constants.setdefault(task, {}).update(constants)

    # --- the graph

    @property
    def tasks(self) -> list[Task]:
        """All tasks in the order they were added."""
        return list(self.graph.slugs)

    @property
    def slugs(self) -> Mapping[Task, str]:
        """The slug of each task, its stable name within this flow."""
        return self.graph.slugs

    @property
    def edges(self) -> list[Edge]:
        return self.graph.edges()

    def edges_to(self, task: Task) -> list[Edge]:
        return self.graph.edges_to(task)

    def edges_from(self, task: Task) -> list[Edge]:
        return self.graph.edges_from(task)

    def upstream_tasks(self, task: Task) -> list[Task]:
        return [edge.upstream_task for edge in self.graph.edges_to(task)]

    def downstream_tasks(self, task: Task) -> list[Task]:
        return [edge.downstream_task for edge in self.graph.edges_from(task)]

    def root_tasks(self) -> list[Task]:
        """Tasks that wait for nothing."""
        return self.graph.root_tasks()

    def terminal_tasks(self) -> list[Task]:
        """Tasks that nothing waits for."""
        return self.graph.terminal_tasks()

    def sorted_tasks(self) -> Sequence[Task]:
        """Every task after all it waits for. Raises CycleError."""
        return self.graph.sorted_tasks()

    def reference_tasks(self) -> list[Task]:
        """The tasks whose states decide the state of the flow: by default the terminal ones."""
        return list(self._reference_tasks) or self.terminal_tasks()

    def set_reference_tasks(self, tasks: Iterable[Task]) -> None:
        """Let these tasks decide the state of the flow."""
        found = tuple(tasks)
        for task in found:
            if task not in self.graph.slugs:
                raise FlowBuildError(f"Reference task {task.name!r} is not in flow {self.name!r}; add it first.")
        self._reference_tasks = found

    def get_tasks(
        self, name: str | None = None, slug: str | None = None, tags: Iterable[str] | None = None
    ) -> list[Task]:
        """The tasks that match all that is given."""
        wanted = frozenset(tags or ())
        return [
            task
            for task, own in self.graph.slugs.items()
            if name in (None, task.name) and slug in (None, own) and wanted <= task.tags
        ]

    def parameters(self) -> list[Parameter]:
        return [task for task in self.graph.slugs if isinstance(task, Parameter)]

    def validate(self) -> None:
        """Raise FlowBuildError unless the graph can run."""
        self.graph.sorted_tasks()

    # --- the two doors upward

    def run(self, parameters: Mapping[str, Any] | None = None, **options: Any) -> State | None:
        """Run here and now, without a server; the result of the final state is `{task: state}`.

        See `appliance.engine.run.run_flow` for the options; other keywords are taken as parameters.
        """
        if self._is_loading("run"):
            return None
        from appliance.engine.run import run_flow

        return run_flow(self, parameters, **options)

    def register(self, project: str, **options: Any) -> Any:
        """Send the flow's metadata to the server, so that it can be scheduled and started there."""
        if self._is_loading("register"):
            return None
        from appliance.packaging.register import register

        return register(self, project=project, **options)

    def _is_loading(self, verb: str) -> bool:
        if active_flow.get() is self:
            raise FlowBuildError(
                f"flow.{verb}() was called inside its own `with Flow(...)` block; call it after the block."
            )
        if loading_flow.get():
            warnings.warn(
                f"flow.{verb}() is ignored while the file of flow {self.name!r} is being loaded.", stacklevel=3
            )
            return True
        return False
