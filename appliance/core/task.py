"""A task: one step of a flow. Calling it inside `with Flow(...)` adds a copy to the graph and binds its arguments."""

from __future__ import annotations

import copy
import functools
import inspect
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, overload

from appliance.core import triggers
from appliance.core.context import active_flow, active_tags
from appliance.core.errors import FlowBuildError, NoActiveFlowError, TaskDefinitionError
from appliance.core.operators import OperatorMethods
from appliance.core.states import Failed, State

if TYPE_CHECKING:
    from appliance.core.caching import Validator
    from appliance.core.flow import Flow
    from appliance.core.results import Result, Template

StateHandler = Callable[[Any, State, State], State | None]
RESERVED = frozenset({"upstream_tasks", "mapped", "task_args", "flow"})


class Task(OperatorMethods):
    """Override `run`, or use the `@task` decorator on a function.

    `timeout` is in seconds; `retry_delay` is a timedelta or seconds; `nout` lets the result be unpacked into that many tasks.
    """

    auto_generated = False
    always_rerun: typing.ClassVar[bool] = False
    """Is it run again in every attempt of a flow run, since its result can't be kept?"""
    called_in: Any = None
    """Where it got its arguments by being called: the `home` of that flow's graph."""
    runs_on_cancel: typing.ClassVar[bool] = False
    """Is it run even when the flow run is cancelled, to tidy up?"""
    default_trigger: triggers.Trigger = staticmethod(triggers.all_successful)
    default_skip_on_upstream_skip = True

    result: Result | None = None
    target: Template | None = None
    cache_for: timedelta | None = None
    cache_validator: Validator | None = None
    cache_key: str | None = None

    def __init__(
        self,
        name: str | None = None,
        slug: str | None = None,
        tags: Iterable[str] | None = None,
        max_retries: int = 0,
        retry_delay: timedelta | float | None = None,
        retry_on: type[BaseException] | Iterable[type[BaseException]] | None = None,
        timeout: float | timedelta | None = None,
        trigger: triggers.Trigger | None = None,
        skip_on_upstream_skip: bool | None = None,
        checkpoint: bool | None = None,
        state_handlers: Iterable[StateHandler] | None = None,
        on_failure: Callable[[Any, State], State | None] | None = None,
        log_stdout: bool = False,
        task_run_name: str | Callable[..., str] | None = None,
        nout: int | None = None,
    ) -> None:
        if name is not None and not isinstance(name, str):
            kind = type(self).__name__
            raise TaskDefinitionError(
                f"The name of a task must be a string; to call a task class, first make a task: {kind}()(...)."
            )
        self.name: str = name or type(self).__name__
        self.slug: str | None = slug
        self.tags: frozenset[str] = _tags(tags) | active_tags.get()
        self.max_retries = max_retries
        self.retry_delay = _as_timedelta(retry_delay)
        self.retry_on = _exceptions(retry_on)
        self.timeout: float | None = _seconds(timeout)
        self.trigger: triggers.Trigger = trigger or self.default_trigger
        self.skip_on_upstream_skip = (
            self.default_skip_on_upstream_skip if skip_on_upstream_skip is None else skip_on_upstream_skip
        )
        self.checkpoint = checkpoint
        self.state_handlers: tuple[StateHandler, ...] = state_handlers_of(state_handlers, on_failure)
        self.log_stdout = log_stdout
        self.task_run_name = task_run_name
        self.nout = nout
        _check_retries(self)
        self._signature = _checked_signature(self)

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """What the task does. Override it."""
        raise TaskDefinitionError(f"Task class {type(self).__name__} has no run(); define it.")

    # --- calls build the graph

    def copy(self, **changes: Any) -> typing.Self:
        """A new task like this one, for another place in a flow."""
        new = copy.copy(self)
        new.called_in = None
        if changes:
            unknown = [key for key in changes if key not in _OPTIONS]
            if unknown:
                raise TaskDefinitionError(
                    f"task_args has no option {unknown[0]!r}; the options are {', '.join(sorted(_OPTIONS))}."
                )
            for key, value in changes.items():
                setattr(new, key, _OPTIONS[key](value))
            _check_retries(new)
        if active_tags.get():
            new.tags = new.tags | active_tags.get()
        return new

    def __call__(
        self,
        *args: Any,
        upstream_tasks: Iterable[Any] | None = None,
        mapped: bool = False,
        task_args: Mapping[str, Any] | None = None,
        flow: Flow | None = None,
        **kwargs: Any,
    ) -> typing.Self:
        flow = self._flow(flow)
        return self.copy(**(task_args or {})).bind(
            *args, upstream_tasks=upstream_tasks, mapped=mapped, flow=flow, **kwargs
        )

    def bind(
        self,
        *args: Any,
        upstream_tasks: Iterable[Any] | None = None,
        mapped: bool = False,
        flow: Flow | None = None,
        **kwargs: Any,
    ) -> typing.Self:
        """Add this very task to the flow, with these arguments."""
        flow = self._flow(flow)
        try:
            bound = self._signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise FlowBuildError(f"Task {self.name!r} can't be called like this: {error}.") from error
        for parameter in self._signature.parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD and parameter.name in bound:
                bound.update(bound.pop(parameter.name))
        flow.set_dependencies(self, upstream_tasks=upstream_tasks, keyword_tasks=bound, mapped=mapped)
        self.called_in = flow.graph.home
        return self

    def map(
        self,
        *args: Any,
        upstream_tasks: Iterable[Any] | None = None,
        flow: Flow | None = None,
        task_args: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> typing.Self:
        """Run once per element of the arguments; wrap one in `unmapped(...)` to give it whole to every child."""
        flow = self._flow(flow)
        return self.copy(**(task_args or {})).bind(
            *args, upstream_tasks=upstream_tasks, mapped=True, flow=flow, **kwargs
        )

    def pipe(self, then: Task, **kwargs: Any) -> Task:
        """`then(self, **kwargs)`, for chains that read from left to right."""
        return then(self, **kwargs)

    # --- dependencies without data

    def set_upstream(
        self, task: Any, flow: Flow | None = None, key: str | None = None, mapped: bool = False
    ) -> typing.Self:
        """This task waits for `task`, and receives its result as argument `key` when given."""
        keyed, plain = ({key: task}, None) if key is not None else (None, [task])
        self._flow(flow).set_dependencies(self, keyword_tasks=keyed, upstream_tasks=plain, mapped=mapped)
        return self

    def set_downstream(
        self, task: Task, flow: Flow | None = None, key: str | None = None, mapped: bool = False
    ) -> typing.Self:
        """`task` waits for this one."""
        task.set_upstream(self, flow=flow, key=key, mapped=mapped)
        return self

    def set_dependencies(
        self,
        flow: Flow | None = None,
        upstream_tasks: Iterable[Any] | None = None,
        downstream_tasks: Iterable[Task] | None = None,
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
        """Has run() an argument of that name, or a `**kwargs` that takes it?"""
        parameters = self._signature.parameters
        return key in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())

    def _flow(self, flow: Flow | None) -> Flow:
        flow = flow or active_flow.get()
        if flow is None:
            raise NoActiveFlowError(
                f"Task {self.name!r} was called outside a flow; call it inside `with Flow(...)` "
                "or use task.run() to call the function itself."
            )
        return flow

    def __iter__(self) -> Iterator[Task]:
        count = self.nout if self.nout is not None else _tuple_length(self.run)
        if count is None:
            raise TypeError(
                f"Task {self.name!r} can't be unpacked; say how many results it returns with @task(nout=...)."
            )
        return iter([self[index] for index in range(count)])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


class FunctionTask(Task):
    """A task made of a function."""

    def __init__(self, fn: Callable[..., Any], name: str | None = None, **options: Any) -> None:
        if not callable(fn):
            raise TypeError("A task must be made of a function; write @task above a def.")
        self.run = fn  # type: ignore[method-assign]
        super().__init__(name=name or getattr(fn, "__name__", type(self).__name__), **options)
        functools.update_wrapper(self, fn, updated=())


@overload
def task(fn: Callable[..., Any], /) -> FunctionTask: ...
@overload
def task(**options: Any) -> Callable[[Callable[..., Any]], FunctionTask]: ...
def task(fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a task of a function: `@task` or `@task(max_retries=3, retry_delay=timedelta(seconds=10))`."""
    if fn is not None:
        return FunctionTask(fn, **options)
    return functools.partial(FunctionTask, **options)


def _tags(tags: Iterable[str] | None) -> frozenset[str]:
    if isinstance(tags, str):
        raise TypeError(f"tags must be a list of strings; write [{tags!r}].")
    return frozenset(tags or ())


def _seconds(timeout: float | timedelta | None) -> float | None:
    if timeout is None:
        return None
    if isinstance(timeout, timedelta):
        timeout = timeout.total_seconds()
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise TypeError("timeout must be a number of seconds or a timedelta.")
    if timeout <= 0:
        raise TaskDefinitionError("timeout must be more than zero seconds.")
    return timeout


def _exceptions(retry_on: Any) -> tuple[type[BaseException], ...]:
    if retry_on is None:
        return ()
    found = (retry_on,) if isinstance(retry_on, type) else tuple(retry_on)
    if not all(isinstance(cls, type) and issubclass(cls, BaseException) for cls in found):
        raise TypeError("retry_on must be an exception class or a list of them.")
    return found


def state_handlers_of(
    handlers: Any, on_failure: Callable[[Any, State], State | None] | None = None
) -> tuple[StateHandler, ...]:
    if handlers is not None and (callable(handlers) or isinstance(handlers, str)):
        raise TypeError("state_handlers must be a list of functions (task, old_state, new_state).")
    found: tuple[StateHandler, ...] = tuple(handlers or ())
    if on_failure is None:
        return found

    def when_failed(target: Any, _old: State, new: State) -> State | None:
        return on_failure(target, new) if isinstance(new, Failed) else None

    return (*found, when_failed)


def _check_retries(task: Task) -> None:
    count = task.max_retries
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise TaskDefinitionError(f"max_retries of task {task.name!r} must be a whole number, zero or more.")
    if task.retry_delay is not None and not isinstance(task.retry_delay, timedelta):
        raise TypeError(f"retry_delay of task {task.name!r} must be a timedelta or a number of seconds.")
    if count and task.retry_delay is None:
        raise TaskDefinitionError(
            f"Task {task.name!r} has max_retries but no retry_delay; give retry_delay=timedelta(...)."
        )
    if not count and task.retry_delay is not None:
        raise TaskDefinitionError(f"Task {task.name!r} has a retry_delay but no max_retries; give max_retries=... too.")
    if not count and task.retry_on:
        raise TaskDefinitionError(f"Task {task.name!r} has retry_on but no max_retries; give max_retries=... too.")


def _checked_signature(task: Task) -> inspect.Signature:
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
                f"Task {task.name!r} can't take {parameter.name!r} by position only; remove the `/`."
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


def _same(value: Any) -> Any:
    return value


_OPTIONS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        ("name", "slug", "max_retries", "retry_delay", "trigger", "skip_on_upstream_skip", "checkpoint"), _same
    ),
    **dict.fromkeys(("log_stdout", "task_run_name", "nout"), _same),
    "tags": _tags,
    "timeout": _seconds,
    "retry_on": _exceptions,
    "state_handlers": state_handlers_of,
}


def _as_timedelta(delay: timedelta | float | None) -> timedelta | None:
    is_number = isinstance(delay, int | float) and not isinstance(delay, bool)
    return timedelta(seconds=delay) if is_number else delay  # type: ignore[arg-type, return-value]  # _check_retries refuses the rest
