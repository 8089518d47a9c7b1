"""A task: one step of a flow. Calling it inside `with Flow(...)` adds a copy to the graph and binds its arguments."""

from __future__ import annotations

import copy
import inspect
import typing
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Never, NoReturn

from appliance.core import copies, dealing, retries, triggers
from appliance.core.annotations import mapped
from appliance.core.building import FlowBuilder, active_flow, active_tags, authors_line, callers_line
from appliance.core.comparisons import truth
from appliance.core.errors import FlowBuildError, NoActiveFlowError, TaskDefinitionError
from appliance.core.operators import FUNCTIONS, OperatorMethods
from appliance.core.own_logger import OwnLogger
from appliance.core.states import State
from appliance.core.task_options import (
    FORMS,
    StateHandler,
    changed_options,
    check_inputs,
    check_together,
    state_handlers_of,
    tags_of,
)
from appliance.kit.option_names import refuse_unknown

if TYPE_CHECKING:
    from appliance.core.cache_validators import Validator
    from appliance.core.results import Result, Template

_HAS_CHOICE = "log_stdout may be None"
RESERVED = frozenset({"upstream_tasks", "mapped", "task_args", "flow"})


class Task(OperatorMethods["Task"]):
    """Override `run`, or use the `@task` decorator on a function.

    `timeout` is in seconds or a timedelta. `retry_delay` is a timedelta or seconds, a list of them (the last one repeats) or
    `exponential_backoff(...)`; `retry_jitter` spreads it by that fraction either way. `nout` lets the result be unpacked into
    that many tasks. `task_run_name` is a template such as `"{x} on {date:%Y-%m-%d}"` over the arguments, the flow's parameters
    and the run context, or a function of them. `secrets` names those that the task reads with `Secret(name).get()`. Raises TaskDefinitionError or TypeError for invalid options.
    """

    auto_generated = False
    logger = OwnLogger()
    """The run's logger with the name of the task."""
    always_rerun: typing.ClassVar[bool] = False
    """Is it run again in every attempt of a flow run because its result can't be kept?"""
    is_gate: typing.ClassVar[bool] = False
    """Does it decide whether a branch is taken? If it is skipped, nothing that waits for it runs, whatever its own rules are."""
    called_in: object = None
    """The `home` of the flow in which it was called and got its arguments."""
    shares_result: typing.ClassVar[bool] = False
    """Is its result one thing for all tasks that use it, such as a connection? Others' small containers are copied for each."""
    default_containers: Mapping[str, Any] = {}
    """Defaults of run() such as `[]`, of which every attempt gets its own copy."""
    runs_here: typing.ClassVar[bool] = False
    """Does its code run in the process of the flow run, wherever the executor runs the code of others?"""
    starts: Mapping[str, Any] | None = None
    """The flow of which it starts a run, by name, and its project, if that is another one."""
    runs_on_cancel: typing.ClassVar[bool] = False
    """Does it run even when the flow run is cancelled, to clean up?"""
    default_trigger: triggers.Trigger[Task] = staticmethod(triggers.all_successful)
    default_skip_on_upstream_skip = True

    result: Result | None = None
    target: Template | None = None
    cache_for: timedelta | None = None
    cache_validator: Validator | None = None
    cache_key: str | None = None
    secrets: tuple[str, ...] = ()
    """The names of the secrets that it may read from the server."""
    never_repeat: bool = False
    """Must no later attempt of a run run it again, once it has begun? Its own retries and pauses are its author's wish, and go on."""

    def __init__(
        self,
        name: str | None = None,
        slug: str | None = None,
        tags: Iterable[str] | None = None,
        max_retries: int = 0,
        retry_delay: retries.DelayOption = None,
        retry_on: type[BaseException] | Iterable[type[BaseException]] | None = None,
        retry_jitter: float = 0.0,
        timeout: float | timedelta | None = None,
        trigger: triggers.Trigger[Task] | None = None,
        skip_on_upstream_skip: bool | None = None,
        checkpoint: bool | None = None,
        state_handlers: Iterable[StateHandler] | None = None,
        on_failure: Callable[[Any, State], State | None] | None = None,
        log_stdout: bool | None = None,
        task_run_name: str | Callable[..., str] | None = None,
        nout: int | None = None,
        cache_for: timedelta | None = None,
        cache_validator: Validator | None = None,
        cache_key: str | None = None,
        result: Result | None = None,
        target: Template | None = None,
        secrets: Iterable[Any] | None = None,
        never_repeat: bool | None = None,
        **unknown: Never,
    ) -> None:
        refuse_unknown("A task", unknown, FORMS)
        if name is not None and not isinstance(name, str):
            kind = type(self).__name__
            raise TaskDefinitionError(
                f"The name of a task must be a string; to call a task class, first create a task: {kind}()(...)."
            )
        self.name: str = name or type(self).__name__
        self.slug: str | None = FORMS["slug"](slug)
        self.tags: frozenset[str] = tags_of(tags) | active_tags.get()
        self.max_retries = retries.count_of(max_retries)
        self.retry_delay: retries.Delay | None = retries.delay_of(retry_delay)
        self.retry_on: tuple[type[BaseException], ...] = retries.exceptions_of(retry_on)
        self.retry_jitter = retries.jitter_of(retry_jitter)
        self.timeout: float | None = FORMS["timeout"](timeout)
        self.trigger: triggers.Trigger[Task] = FORMS["trigger"](trigger or self.default_trigger)
        skips = FORMS["skip_on_upstream_skip"](skip_on_upstream_skip)
        self.skip_on_upstream_skip: bool = self.default_skip_on_upstream_skip if skips is None else skips
        self.checkpoint: bool | None = FORMS["checkpoint"](checkpoint)
        self.state_handlers: tuple[StateHandler, ...] = state_handlers_of(state_handlers, on_failure)
        self.log_stdout: bool | None = FORMS["log_stdout"](log_stdout)
        self.task_run_name: str | Callable[..., str] | None = FORMS["task_run_name"](task_run_name)
        self.nout: int | None = FORMS["nout"](nout)
        caching = {"cache_for": cache_for, "cache_validator": cache_validator, "cache_key": cache_key}
        others = {"result": result, "target": target, "secrets": secrets, "never_repeat": never_repeat}
        for key, value in {**caching, **others}.items():
            if value is not None:  # a class may have its own as class attributes
                setattr(self, key, FORMS[key](value))
        check_together(self)
        self._signature = _signature_of(self)
        self.default_containers = _default_containers(self)
        check_inputs(self)
        flow = active_flow.get()
        if flow is not None and not self.auto_generated:
            flow.unused[self] = authors_line()

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """What the task does. Override it. A plain `Task("name")` does nothing, which is enough to join branches."""
        if type(self) is not Task:
            raise TaskDefinitionError(f"Task class {type(self).__name__} has no run(); define it.")

    def __setattr__(self, name: str, value: Any) -> None:
        """Options may also be set later; `on_failure` is added to the state handlers. Raises as the constructor does."""
        if name in FORMS:
            if value is None and name == "skip_on_upstream_skip":
                value = self.default_skip_on_upstream_skip
            value = FORMS[name](value)
            if name == "on_failure":
                name, value = "state_handlers", (*self.state_handlers, *value)
        object.__setattr__(self, name, value)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {_HAS_CHOICE: True}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """In earlier releases, False was the default of `log_stdout`, and `default_containers` was missing."""
        if not state.pop(_HAS_CHOICE, False):
            state["log_stdout"] = state.get("log_stdout") or None
        self.__dict__.update(state)
        if "default_containers" not in state:
            self.default_containers = _default_containers(self)

    def __copy__(self) -> typing.Self:
        """What `copy.copy` would do by way of pickling, which takes three times as long."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new

    # --- calls build the graph

    def copy(self, **changes: Any) -> typing.Self:
        """A new task like this one, for use elsewhere in a flow, with other options; tags and `on_failure` are added to its own."""
        new = copy.copy(self)
        new.__dict__["called_in"] = None  # no option that has to be checked
        if changes:
            for key, value in changed_options(self, changes).items():
                setattr(new, key, value)
            check_together(new)
            check_inputs(new)
        if active_tags.get():
            new.tags = new.tags | active_tags.get()
        flow = active_flow.get()
        if flow is not None and (line := callers_line()) is not None:
            flow.unused[new] = line
        return new

    def _is_used(self, flow: FlowBuilder[Task]) -> None:
        flow.unused.pop(self, None)
        active = active_flow.get()
        if active is not None and active is not flow:  # the call says flow=
            active.unused.pop(self, None)

    def __call__(
        self,
        *args: Any,
        upstream_tasks: Iterable[Any] | None = None,
        mapped: bool = False,
        task_args: Mapping[str, Any] | None = None,
        flow: FlowBuilder[Task] | None = None,
        **kwargs: Any,
    ) -> typing.Self:
        flow = self._flow(flow)
        self._is_used(flow)
        return self.copy(**(task_args or {})).bind(
            *args, upstream_tasks=upstream_tasks, mapped=mapped, flow=flow, **kwargs
        )

    def bind(
        self,
        *args: Any,
        upstream_tasks: Iterable[Any] | None = None,
        mapped: bool = False,
        flow: FlowBuilder[Task] | None = None,
        **kwargs: Any,
    ) -> typing.Self:
        """Add this very task to the flow, with these arguments."""
        flow = self._flow(flow)
        self._is_used(flow)
        try:
            bound = self._signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise FlowBuildError(f"Task {self.name!r} can't be called like this: {error}.") from error
        for parameter in self._signature.parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD and parameter.name in bound:
                bound.update(bound.pop(parameter.name))
        flow.set_dependencies(self, upstream_tasks=upstream_tasks, keyword_tasks=bound, mapped=mapped)
        if mapped and not flow.is_mapped(self):
            warnings.warn(
                f"Task {self.name!r} is mapped over nothing, so it runs once; call it without .map(), or pass it a list.",
                stacklevel=3,
            )
        self.__dict__["called_in"] = flow.home
        return self

    def map(
        self,
        *args: Any,
        upstream_tasks: Iterable[Any] | None = None,
        flow: FlowBuilder[Task] | None = None,
        task_args: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> typing.Self:
        """Run once per element of the arguments; wrap one in `unmapped(...)` to pass it whole to every child.

        Anything with a length and an order can be mapped over: list, tuple, range, array, series, and str and bytes item by item.
        Its elements are dealt out in that order, whatever an index means to it. The shortest argument decides how many children
        there are. An empty one gives no children, which is a success. None, numbers, dicts, sets and data frames can't be mapped
        over: the task fails and says so. `flatten(...)` removes one level of nesting
        first, so that `[[1, 2], []]` gives two children. Over a mapped task the children are matched one to one, each as soon as its
        own upstream child is done; a task that is called with a mapped task gets the list of all its results.
        """
        flow = self._flow(flow)
        self._is_used(flow)
        return self.copy(**(task_args or {})).bind(
            *args, upstream_tasks=upstream_tasks, mapped=True, flow=flow, **kwargs
        )

    def pipe(self, then: Task, **kwargs: Any) -> Task:
        """`then(self, **kwargs)`, for chains that read from left to right."""
        return then(self, **kwargs)

    # --- dependencies without data

    def set_upstream(
        self, task: Any, flow: FlowBuilder[Task] | None = None, key: str | None = None, mapped: bool = False
    ) -> typing.Self:
        """This task waits for `task` and, with a `key`, receives its result as that argument."""
        keyed, plain = ({key: task}, None) if key is not None else (None, [task])
        self._flow(flow).set_dependencies(self, keyword_tasks=keyed, upstream_tasks=plain, mapped=mapped)
        return self

    def set_downstream(
        self, task: Task, flow: FlowBuilder[Task] | None = None, key: str | None = None, mapped: bool = False
    ) -> typing.Self:
        """`task` waits for this one."""
        task.set_upstream(self, flow=flow, key=key, mapped=mapped)
        return self

    def set_dependencies(
        self,
        flow: FlowBuilder[Task] | None = None,
        upstream_tasks: Iterable[Any] | None = None,
        downstream_tasks: Iterable[Any] | None = None,
        keyword_tasks: Mapping[str, Any] | None = None,
        mapped: bool = False,
    ) -> typing.Self:
        """All kinds of dependencies of this task at once."""
        self._flow(flow).set_dependencies(self, upstream_tasks, downstream_tasks, keyword_tasks, mapped)
        return self

    def inputs(self) -> tuple[str, ...]:
        """The names of the arguments of run()."""
        return tuple(self._signature.parameters)

    def required_inputs(self) -> Iterator[str]:
        """The names of the arguments of run() that have no default."""
        for name, parameter in self._signature.parameters.items():
            if parameter.default is parameter.empty and parameter.kind in (
                parameter.POSITIONAL_OR_KEYWORD,
                parameter.KEYWORD_ONLY,
            ):
                yield name

    def accepts(self, key: str) -> bool:
        """Does run() have an argument with that name, or `**kwargs`?"""
        parameters = self._signature.parameters
        return key in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())

    def _flow(self, flow: FlowBuilder[Task] | None) -> FlowBuilder[Task]:
        flow = flow or active_flow.get()
        if flow is None:
            raise NoActiveFlowError(
                f"Task {self.name!r} was called outside a flow; call it inside `with Flow(...)` "
                "or use task.run() to call the function itself."
            )
        return flow

    def retry_wait(self, run_count: int, draw: Callable[[], float] | None = None) -> timedelta:
        """How long to wait after the failed attempt `run_count`, from 1; `draw` gives the number for jitter, in [0, 1), by default at random."""
        if self.retry_delay is None:
            return timedelta(0)
        if not self.retry_jitter:
            return retries.wait(self.retry_delay, run_count, 0.0, 0.0)
        if draw is None:
            import random

            draw = random.random
        return retries.wait(self.retry_delay, run_count, self.retry_jitter, draw())

    # --- expressions

    def _operate(self, name: str, left: Any, right: Any) -> Task:
        return Operation(name).bind(left, right)

    def __or__(self, other: Any) -> Any:
        """`a | b`: b runs after a, and the expression is b, so that chains read from left to right. Either may be a list of tasks."""
        self.set_dependencies(downstream_tasks=_listed(other))
        return other

    def __ror__(self, other: Any) -> Task:
        return self.set_dependencies(upstream_tasks=_listed(other))

    def __getitem__(self, key: Any) -> Task:
        return GetItem().bind(self, key)

    def not_(self) -> Task:
        return Not().bind(self)

    # --- a task is no value yet

    def __iter__(self) -> Iterator[Task]:
        count = self.nout if self.nout is not None else _tuple_length(self.run)
        if count is None:
            raise TypeError(
                f"Task {self.name!r} can't be unpacked; say how many results it returns with @task(nout=...)."
            )
        return iter([self._item(index) for index in range(count)])

    def _item(self, index: int) -> Task:
        """The result number `index`; of a mapped task, that of each child."""
        source = mapped(self) if self._flow(None).is_mapped(self) else self
        return GetItem().bind(source, dealing.Position(index))

    def __bool__(self) -> NoReturn:
        raise FlowBuildError(
            f"Task {self.name!r} has no result while the flow is being built, so it can't be used as a condition; "
            "use `with case(task, value):`, or decide inside a task."
        )

    def __contains__(self, item: object) -> NoReturn:
        raise FlowBuildError(
            f"Task {self.name!r} has no result while the flow is being built, so it can't be searched; search inside a task."
        )

    def __str__(self) -> str:
        if active_flow.get() is not None:
            warnings.warn(
                f"Task {self.name!r} has no result while the flow is being built, so the text contains {self!r} instead; "
                "pass the task to another task, and make the text there.",
                stacklevel=2,
            )
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if self is not other and not isinstance(other, Task) and active_flow.get() is not None:
            warnings.warn(
                f"Task {self.name!r} has no result while the flow is being built, so it equals nothing; "
                "use task.is_equal(value), or `with case(task, value):`.",
                stacklevel=2,
            )
        return self is other

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


class Operation(Task):
    """A binary operator between two results."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.function = FUNCTIONS[name]

    def run(self, a: Any, b: Any) -> Any:
        return self.function(a, b)


class GetItem(Task):
    """One item of a result: `task[key]`."""

    auto_generated = True

    def run(self, result: Any, key: Any) -> Any:
        return dealing.item(result, key)


class Not(Task):
    """The negation of a result."""

    def run(self, value: Any) -> Any:
        return not truth(value)


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else [value]


def _default_containers(task: Task) -> Mapping[str, Any]:
    if hasattr(
        task.run, "__wrapped__"
    ):  # the signature is that of the function inside, which alone takes these arguments
        return {}
    defaults = {name: parameter.default for name, parameter in task._signature.parameters.items()}
    return {name: default for name, default in defaults.items() if copies.is_container(default)}


def _signature_of(task: Task) -> inspect.Signature:
    try:
        signature = inspect.signature(task.run)
    except ValueError:  # some functions written in C don't tell theirs
        return inspect.Signature([inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)])
    for parameter in signature.parameters.values():
        if parameter.name in RESERVED:
            raise TaskDefinitionError(
                f"run() of task {task.name!r} can't have an argument {parameter.name!r}; rename it."
            )
        if parameter.kind is parameter.VAR_POSITIONAL and type(task).run is not Task.run:
            raise TaskDefinitionError(f"run() of task {task.name!r} can't take *{parameter.name}; use named arguments.")
        if parameter.kind is parameter.VAR_POSITIONAL and "run" in task.__dict__:
            raise TaskDefinitionError(f"Task {task.name!r} can't take *{parameter.name}; use named arguments.")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise TaskDefinitionError(
                f"Task {task.name!r} can't take {parameter.name!r} as a positional-only argument; remove the `/`."
            )
    return signature


def _tuple_length(run: Callable[..., Any]) -> int | None:
    try:
        annotation = typing.get_type_hints(run).get("return")
    except (NameError, TypeError, AttributeError):  # annotations that can't be evaluated tell nothing
        return None
    arguments = typing.get_args(annotation)
    return (
        len(arguments) if typing.get_origin(annotation) is tuple and arguments and Ellipsis not in arguments else None
    )
