"""A flow: a named graph of tasks with its parameters, schedule and settings."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import Token
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, Never

from appliance.core import parameter_types
from appliance.core.annotations import unwrap
from appliance.core.building import FlowBuilder, Line, active_flow, building, is_loading
from appliance.core.child_flows import Startable
from appliance.core.collections import as_task, holds_task
from appliance.core.edge import Edge
from appliance.core.errors import FlowBuildError
from appliance.core.flow_checks import check_values, warn_of_unused
from appliance.core.flow_options import FORMS, OF_EARLIER_RELEASES, warn_of_idle_attribute
from appliance.core.graph import Graph
from appliance.core.iterators import Lists
from appliance.core.own_logger import OwnLogger
from appliance.core.parameter import Parameter
from appliance.core.run_config import RunConfig
from appliance.core.states import State
from appliance.core.task import Task
from appliance.core.task_options import StateHandler, state_handlers_of
from appliance.kit.option_names import refuse_unknown
from appliance.kit.options import flag, listed, require, strings

if TYPE_CHECKING:
    import os
    from datetime import timedelta
    from pathlib import Path

    from appliance.core.results import Result
    from appliance.schedules.clocks import Clock
    from appliance.schedules.schedule import Schedule

_OWN = frozenset({"graph", "constants", "fn"})
OPTIONS = (*FORMS, "tasks", "edges", "reference_tasks", "on_failure", "validate")
TerminalStateHandler = Callable[["Flow", State, Mapping[Task, State]], State | None]


class Flow(Startable):
    """`with Flow("name") as flow:` collects the tasks that are called inside; `flow.run()` runs them here and now."""

    logger = OwnLogger()
    """The run's logger with the name of the flow."""

    def __init__(
        self,
        name: str,
        schedule: Schedule | Clock | None = None,
        executor: Any = None,
        run_config: RunConfig | None = None,
        storage: Any = None,
        tasks: Iterable[Task] = (),
        edges: Iterable[Edge[Task]] = (),
        reference_tasks: Iterable[Task] = (),
        state_handlers: Iterable[StateHandler] | None = None,
        on_failure: Callable[[Any, State], State | None] | None = None,
        terminal_state_handler: TerminalStateHandler | None = None,
        result: Result | None = None,
        validate: bool = False,
        strict_tracking: bool = False,
        log_stdout: bool | None = None,
        run_timeout: float | timedelta | None = None,
        secrets: Iterable[Any] | None = None,
        owner: str | None = None,
        **unknown: Never,
    ) -> None:
        """With `strict_tracking`, in a run that a server tracks, the server has stored that a task is Running before the task's
        code runs; without, reports follow within a moment. `log_stdout` says whether the output of tasks goes to the run's log, for
        tasks that don't say it themselves; None stands for yes in runs that a server tracks, and for no otherwise. A run that an
        agent started and that has been running for longer than `run_timeout` (seconds or a timedelta) is killed and ends TimedOut,
        even if its process is frozen. `secrets` names those that its tasks read from the server, besides the ones that they declare
        themselves. `owner` is who looks after the flow, as a team or an address, for people to see."""
        refuse_unknown("A flow", unknown, OPTIONS)
        self.name = name
        self.schedule: Schedule | None = schedule  # type: ignore[assignment]  # see __setattr__
        self.executor = executor
        self.run_config = run_config
        self.storage = storage
        self.state_handlers = state_handlers_of(state_handlers, on_failure)
        self.terminal_state_handler = terminal_state_handler
        self.result = result
        self.strict_tracking = strict_tracking
        self.log_stdout: bool | None = log_stdout
        self.run_timeout: float | None = run_timeout  # type: ignore[assignment]  # see __setattr__
        self.secrets: tuple[str, ...] = secrets  # type: ignore[assignment]  # see __setattr__
        self.owner = owner
        self.graph = Graph()
        self.constants: dict[Task, dict[str, Any]] = {}
        self._reference_tasks: tuple[Task, ...] = ()
        self._validated: Sequence[Task] | None = None
        self._tokens: list[Token[FlowBuilder[Any] | None]] = []
        self._lists = Lists(refuse=False)
        for task in listed("tasks", tasks, Task):
            self.add_task(task)
        for edge in listed("edges", edges, Task):
            if not isinstance(edge, Edge):
                raise TypeError(f"edges must be a list of Edge(upstream_task, downstream_task); {edge!r} is not one.")
            self.add_edge(*edge.tasks, edge.key, edge.mapped, edge.flattened)
        self.set_reference_tasks(reference_tasks)
        if flag("validate", validate):
            self.validate()

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in FORMS or name in _OWN or name.startswith("_")):
            warn_of_idle_attribute(name)
        object.__setattr__(self, name, FORMS[name](value) if name in FORMS else value)

    def __enter__(self) -> Flow:
        self._tokens.append(active_flow.set(self))
        return self

    def __exit__(self, error: type[BaseException] | None, *_details: object) -> None:
        active_flow.reset(self._tokens.pop())
        if error is None:
            parameter_types.check_defaults(self)

    def __repr__(self) -> str:
        return f"<Flow {self.name}>"

    # --- building

    def add_task(self, task: Task) -> Task:
        """Add a task that depends on nothing yet."""
        if not isinstance(task, Task):
            raise TypeError(f"A flow is made of tasks; {task!r} is not one.")
        self.graph.add_task(task)
        return task

    def add_edge(
        self,
        upstream_task: Task,
        downstream_task: Task,
        key: str | None = None,
        mapped: bool = False,
        flattened: bool = False,
        validate: bool = False,
    ) -> Edge[Task]:
        """Make `downstream_task` wait for `upstream_task` and, with a `key`, receive its result as that argument.

        `validate` checks for cycles immediately instead of before the first run. Raises FlowBuildError.
        """
        for task in (upstream_task, downstream_task):
            self._refuse_foreign(task)
        if key is not None:
            self._check_argument(downstream_task, key)
            if key in self.constants.get(downstream_task, ()):
                raise _second_value(downstream_task, key)
        edge = self.graph.add_edge(Edge(upstream_task, downstream_task, key, mapped, flattened))
        if validate:
            self.graph.sorted_tasks()
        return edge

    def chain(self, *tasks: Task) -> list[Edge[Task]]:
        """Each task waits for the one before it."""
        for task in tasks[:1]:
            self.add_task(task)
        return [self.add_edge(before, after) for before, after in pairwise(tasks)]

    def set_dependencies(
        self,
        task: Task,
        upstream_tasks: Iterable[Any] | None = None,
        downstream_tasks: Iterable[Any] | None = None,
        keyword_tasks: Mapping[str, Any] | None = None,
        mapped: bool = False,
        validate: bool = False,
    ) -> None:
        """All kinds of dependencies of a task at once. Values other than tasks are kept as constants beside the graph.

        `validate` checks for cycles immediately instead of before the first run.
        """
        token = active_flow.set(self)  # collections of tasks become tasks of this flow
        try:
            upstream: list[tuple[str | None, Task, bool, bool]] = []
            constants: dict[str, Any] = {}
            for argument in listed("upstream_tasks", upstream_tasks, Task):
                value, is_mapped, flattened = unwrap(argument, mapped)
                upstream.append((None, as_task(value), is_mapped, flattened))
            for key, argument in (keyword_tasks or {}).items():
                value, is_mapped, flattened = unwrap(argument, mapped)
                if not isinstance(value, Task):
                    value = self._lists.of(value)  # an iterator is one list, however many tasks it is given to
                if is_mapped or holds_task(value):
                    upstream.append((key, as_task(value), is_mapped, flattened))
                else:
                    constants[key] = value
            for _, before, _, _ in upstream:
                self._refuse_foreign(before)
                self.graph.add_task(before)
            self.graph.add_task(task)
            for key, value in constants.items():
                self._set_constant(task, key, value)
            for name, before, is_mapped, flattened in upstream:
                self.add_edge(before, task, name, is_mapped, flattened)
            for after in listed("downstream_tasks", downstream_tasks, Task):
                self.add_edge(task, as_task(after))
        finally:
            active_flow.reset(token)
        if validate:
            self.graph.sorted_tasks()

    def _set_constant(self, task: Task, key: str, value: Any) -> None:
        self._check_argument(task, key)
        if key in self.constants.get(task, ()) or self.graph.edge_into(task, key) is not None:
            raise _second_value(task, key)
        self.constants.setdefault(task, {})[key] = self._lists.of(value)

    def _check_argument(self, task: Task, key: str) -> None:
        if not task.accepts(key):
            known = ", ".join(task.inputs())
            raise FlowBuildError(
                f"Task {task.name!r} has no argument {key!r}; {f'it has {known}' if known else 'it has none'}."
            )

    def _refuse_foreign(self, task: Task) -> None:
        """A task that was called in another flow has its arguments there and would run without them here."""
        if not isinstance(task, Task):
            raise TypeError(f"A flow is made of tasks; {task!r} is not one.")
        home = task.called_in
        if home is not None and home is not self.home and task not in self.graph.slugs:
            raise FlowBuildError(
                f"Task {task.name!r} was called in a flow other than {self.name!r}; call it in this one too, "
                "or merge that whole flow with flow.update(other)."
            )

    def update(
        self, flow: Flow, merge_parameters: bool = False, merge_reference_tasks: bool = False, validate: bool = False
    ) -> None:
        """Merge all tasks, edges and constants of another flow, which is left unchanged.

        Parameters of the same name are an error, unless `merge_parameters` makes them one. `merge_reference_tasks`
        lets the reference tasks of both decide the state of the flow; otherwise they stay as they are here.
        """
        require("The flow to merge", flow, Flow, "a flow")
        merged = self.copy()
        own = {parameter.name: parameter for parameter in self.parameters()} if merge_parameters else {}
        place = {task: own.get(task.name, task) if isinstance(task, Parameter) else task for task in flow.tasks}
        for task in place.values():
            merged.graph.add_task(task)
        for edge in flow.edges:
            upstream, downstream = (place[task] for task in edge.tasks)
            known = None if edge.key is None else merged.graph.edge_into(downstream, edge.key)
            if known is None or known.upstream_task is not upstream:
                merged.add_edge(upstream, downstream, edge.key, edge.mapped, edge.flattened)
        for task, constants in flow.constants.items():
            merged.constants.setdefault(task, {}).update(constants)
        merged.secrets = (*self.secrets, *flow.secrets)
        if merge_reference_tasks:
            both = [*self.reference_tasks(), *(place[task] for task in flow.reference_tasks())]
            merged._reference_tasks = tuple(dict.fromkeys(both))
        if validate:
            merged.validate()
        self._become(merged)

    def replace(self, old: Task, new: Any, validate: bool = False) -> Task:
        """Replace `old` by `new`, including its edges, constants and place among the reference tasks; returns the new task.

        `new` may also be a value, a parameter, or a list of tasks and values, which get none of the arguments of `old`.
        """
        if old not in self.graph.slugs:
            raise FlowBuildError(f"Task {old.name!r} is not in flow {self.name!r}; there is nothing to replace.")
        changed = self.copy()
        constants = changed.constants.pop(old, {})
        if not isinstance(new, Task) or isinstance(new, Parameter):
            constants, changed.graph.home = {}, self.graph.home
            changed.graph.drop_arguments(old)
            with building(changed):
                new = as_task(new)
        successor: Task = new
        self._refuse_foreign(successor)
        if old is successor:
            return successor
        for key in [*(edge.key for edge in changed.graph.edges_to(old)), *constants]:
            if key is not None:
                self._check_argument(successor, key)
        for key in constants:
            if key in changed.constants.get(successor, ()) or changed.graph.edge_into(successor, key) is not None:
                raise _second_value(successor, key)
        changed.graph = changed.graph.replaced(old, successor)
        if constants:
            changed.constants.setdefault(successor, {}).update(constants)
        references = (successor if task is old else task for task in self._reference_tasks)
        changed._reference_tasks = tuple(dict.fromkeys(references))
        if validate:
            changed.validate()
        self._become(changed)
        return successor

    def copy(self) -> Flow:
        """A flow with the same tasks and settings whose graph can be changed without affecting this one."""
        new = copy.copy(self)
        new.graph = self.graph.copy()
        new.constants = {task: dict(values) for task, values in self.constants.items()}
        return new

    def _become(self, changed: Flow) -> None:
        """Apply a complete change at once, so that one that fails half-way leaves no trace."""
        changed.graph.home, changed.graph.unused = self.graph.home, self.graph.unused
        self.graph, self.constants = changed.graph, changed.constants
        self._reference_tasks, self.secrets = changed._reference_tasks, changed.secrets

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__ | {"_tokens": [], "_validated": None}
        del state["_lists"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(OF_EARLIER_RELEASES | state)
        self._lists = Lists(refuse=False)

    # --- the graph

    @property
    def home(self) -> object:
        """The token by which tasks that are called in this flow remember it; a copy has its own."""
        return self.graph.home

    @property
    def unused(self) -> dict[Any, Line]:
        """The tasks and resources made in its block that are not in it and were not called; `validate` warns about them."""
        return self.graph.unused

    @property
    def tasks(self) -> list[Task]:
        """All tasks in the order they were added."""
        return list(self.graph.slugs)

    @property
    def slugs(self) -> Mapping[Task, str]:
        """The slug of each task, its stable name within this flow."""
        return self.graph.slugs

    @property
    def edges(self) -> list[Edge[Task]]:
        return self.graph.edges()

    def edges_to(self, task: Task) -> list[Edge[Task]]:
        return self.graph.edges_to(task)

    def edges_from(self, task: Task) -> list[Edge[Task]]:
        return self.graph.edges_from(task)

    def is_mapped(self, task: Task) -> bool:
        """Does the task run once per element of an argument?"""
        return task in self.graph.slugs and any(edge.mapped for edge in self.graph.edges_to(task))

    def upstream_tasks(self, task: Task) -> list[Task]:
        """The tasks that the task waits for, without duplicates."""
        return list(dict.fromkeys(edge.upstream_task for edge in self.graph.edges_to(task)))

    def downstream_tasks(self, task: Task) -> list[Task]:
        """The tasks that wait for the task, without duplicates."""
        return list(dict.fromkeys(edge.downstream_task for edge in self.graph.edges_from(task)))

    def all_upstream_edges(self) -> dict[Task, list[Edge[Task]]]:
        """The edges into each task."""
        return {task: self.graph.edges_to(task) for task in self.graph.slugs}

    def all_downstream_edges(self) -> dict[Task, list[Edge[Task]]]:
        """The edges out of each task."""
        return {task: self.graph.edges_from(task) for task in self.graph.slugs}

    def root_tasks(self) -> list[Task]:
        """Tasks that wait for nothing."""
        return self.graph.root_tasks()

    def terminal_tasks(self) -> list[Task]:
        """Tasks that nothing waits for."""
        return self.graph.terminal_tasks()

    def sorted_tasks(self, root_tasks: Iterable[Task] | None = None) -> Sequence[Task]:
        """The tasks in topological order; with `root_tasks`, only these and those downstream of them. Raises CycleError."""
        return self.graph.sorted_tasks(root_tasks)

    def reference_tasks(self) -> list[Task]:
        """The tasks whose states decide the state of the flow: by default the terminal ones, and in place of a clean-up what it
        waits for."""
        return list(self._reference_tasks) or self.graph.deciding_tasks()

    def set_reference_tasks(self, tasks: Iterable[Task]) -> None:
        """Let these tasks decide the state of the flow."""
        references = tuple(listed("reference tasks", tasks, Task))
        for task in references:
            if task not in self.graph.slugs:
                raise FlowBuildError(f"Reference task {task.name!r} is not in flow {self.name!r}; add it first.")
        self._reference_tasks = references

    def get_tasks(
        self,
        name: str | None = None,
        slug: str | None = None,
        tags: Iterable[str] | None = None,
        task_type: type[Task] | None = None,
    ) -> list[Task]:
        """The tasks that match every argument: name, slug, all of the tags, and the class."""
        required_tags = strings("tags", tags)
        return [
            task
            for task, own in self.graph.slugs.items()
            if name in (None, task.name)
            and slug in (None, own)
            and required_tags <= task.tags
            and (task_type is None or isinstance(task, task_type))
        ]

    def parameters(self) -> list[Parameter]:
        return [task for task in self.graph.slugs if isinstance(task, Parameter)]

    def validate(self) -> None:
        """Raise FlowBuildError unless the graph can run: no cycle, and a value for each argument that needs one; and
        ParameterTypeError for a default that doesn't fit."""
        ordered = self.graph.sorted_tasks()  # another one after each change of the graph
        if self._validated is not ordered:
            check_values(self.name, self.graph, self.constants)
            parameter_types.check_defaults(self)
            warn_of_unused(self, self.name, self.graph)
            self._validated = ordered

    # --- drawing

    def visualize(
        self,
        state: State | Mapping[Task, State] | None = None,
        filename: str | os.PathLike[str] | None = None,
        format: Literal["svg", "ascii"] | None = None,
    ) -> str:
        """Draw the flow as SVG, or as plain text with `format="ascii"`; returns the drawing, and writes it to `filename`.

        With the final state of a run, tasks have the colours of their states. The extension of `filename` decides the
        format when none is given. Raises FlowBuildError for a graph with a cycle.
        """
        from appliance.core.drawing.drawing import draw, format_of

        if format is None:
            format = "svg" if filename is None else format_of(filename)
        text = draw(self.name, self.graph, state, format)
        if filename is not None:
            from appliance.packaging.saved import write_drawing

            write_drawing(filename, text)
        return text

    def _repr_svg_(self) -> str:
        return self.visualize()

    # --- the doors upward

    def save(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the flow with its code to a file, by default `~/.appliance/flows/<name>.flow`; returns its path."""
        from appliance.packaging.saved import save

        return save(self, path)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Flow:
        """Load a flow that `save` wrote, by path or by name. This runs code from the file: load only what you trust."""
        from appliance.packaging.saved import load

        return load(path)

    def run(self, parameters: Mapping[str, Any] | None = None, **options: Any) -> State | None:
        """Run here and now, without a server; the result of the final state is `{task: state}`.

        See `appliance.engine.run.run_flow` for the options; other keywords are taken as parameters.
        """
        if is_loading(self, self.name, "run"):
            return None
        from appliance.engine.run import run_flow

        return run_flow(self, parameters, **options)

    def register(self, project: str = "", **options: Any) -> Any:
        """Send the flow's metadata to the server, so that it can be scheduled and started there.

        See `appliance.packaging.register.register` for the options.
        """
        if is_loading(self, self.name, "register"):
            return None
        from appliance.packaging.register import OPTIONS as KNOWN
        from appliance.packaging.register import register

        refuse_unknown("flow.register()", options, KNOWN)
        if not isinstance(project, str) or not project:
            raise TypeError("flow.register() needs a project: flow.register('sales').")
        return register(self, project=project, **options)


def _second_value(task: Task, key: str) -> FlowBuildError:
    return FlowBuildError(f"Argument {key!r} of task {task.name!r} already has a value; pass it only once.")


def current_flow() -> Flow | None:
    """The flow whose `with` block the calling code is in."""
    return flow if isinstance(flow := active_flow.get(), Flow) else None
