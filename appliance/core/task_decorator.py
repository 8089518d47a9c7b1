"""`@task`: a task made from a function."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from appliance.core import retries, triggers
from appliance.core.positional import by_name
from appliance.core.states import State
from appliance.core.task import Task
from appliance.core.task_options import FORMS, StateHandler
from appliance.kit.option_names import refuse_unknown

if TYPE_CHECKING:
    from appliance.core.cache_validators import Validator
    from appliance.core.results import Result, Template

P = ParamSpec("P")
R = TypeVar("R")


class FunctionTask(Task, Generic[P, R]):
    """A task made from a function; `run` is that function."""

    if TYPE_CHECKING:

        def run(self, *args: P.args, **kwargs: P.kwargs) -> R: ...

    def __init__(self, fn: Callable[P, R], name: str | None = None, **options: Any) -> None:
        if not callable(fn):
            raise TypeError("A task must be made from a function; write @task above a def.")
        self.run = by_name(fn)  # type: ignore[method-assign]
        super().__init__(name=name or _name_of(fn), **options)
        functools.update_wrapper(self, fn, updated=())


@overload
def task(fn: Callable[P, R], /, **options: Any) -> FunctionTask[P, R]: ...
@overload
def task(
    *,
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
) -> Callable[[Callable[P, R]], FunctionTask[P, R]]: ...
def task(fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a task from a function: `@task` or `@task(max_retries=3, retry_delay=timedelta(seconds=10))`.

    With `never_repeat=True`, a run is not restarted or resumed if that would run the task again after it has begun, and the task starts only when
    the server has recorded that it does. Retries and pauses that the task itself asks for are not affected.
    """
    if fn is not None:
        return FunctionTask(fn, **options)
    refuse_unknown("A task", options, FORMS)
    return functools.partial(FunctionTask, **options)


def _name_of(fn: Any) -> str:
    """The name of a function, of the one inside a partial, or of the class of a callable object."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return str(getattr(fn, "__name__", type(fn).__name__))
