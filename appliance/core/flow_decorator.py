"""`@flow` on a function: its arguments become the parameters, and the tasks called in its body become the graph."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from typing import Any, overload

from appliance.core.async_functions import plain_value
from appliance.core.building import active_flow
from appliance.core.errors import FlowBuildError
from appliance.core.flow import OPTIONS, Flow
from appliance.core.parameter import NO_DEFAULT, Parameter
from appliance.core.task import Task
from appliance.kit.option_names import refuse_unknown


class FunctionFlow(Flow):
    """A flow that is built once, by calling its function, when it is defined.

    Called outside of any flow it runs once, now, with the arguments as its parameters. Called inside another flow it adds its
    tasks there, with the arguments in place of its parameters, and returns what the function returns.
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, **options: Any) -> None:
        super().__init__(name if name is not None else fn.__name__.strip("_").replace("_", "-"), **options)
        self.fn = fn
        self._signature = _signature_of(fn, self.name)
        hints = _hints(fn)
        with self:
            arguments = {
                key: Parameter(
                    key,
                    default=NO_DEFAULT if argument.default is argument.empty else argument.default,
                    type=hints.get(key),
                )
                for key, argument in self._signature.parameters.items()
            }
            returned = plain_value(f"The function of flow {self.name!r}", fn(**arguments))
        if returned is not None:
            self.set_reference_tasks(_tasks_of(returned, self.name))
        functools.update_wrapper(self, fn, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if active_flow.get() is not None:
            return self.fn(*args, **kwargs)
        try:
            values = self._signature.bind_partial(*args, **kwargs).arguments
        except TypeError as error:
            raise FlowBuildError(f"Flow {self.name!r} can't be called like this: {error}.") from error
        return self.run(values, run_on_schedule=False)


@overload
def flow(fn: Callable[..., Any], /) -> FunctionFlow: ...
@overload
def flow(*, name: str | None = None, **options: Any) -> Callable[[Callable[..., Any]], FunctionFlow]: ...
def flow(fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a flow from a function: `@flow` or `@flow(name="nightly", schedule=...)`, with the options of `Flow`.

    Its arguments become parameters with their defaults and types. It may return the task, or the tasks, whose states
    decide the state of the flow; otherwise the terminal tasks do. By default the name is that of the function, with
    hyphens. Raises FlowBuildError.
    """
    if fn is None:
        refuse_unknown("A flow", options, OPTIONS)
        return functools.partial(FunctionFlow, **options)
    if not inspect.isfunction(fn):
        raise TypeError("A flow must be made from a function; write @flow above a def.")
    return FunctionFlow(fn, **options)


def _signature_of(fn: Callable[..., Any], name: str) -> inspect.Signature:
    if inspect.iscoroutinefunction(fn) or inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        raise FlowBuildError(
            f"The function of flow {name!r} only builds the graph; write it with a plain def, without yield."
        )
    signature = inspect.signature(fn)
    for argument in signature.parameters.values():
        if argument.kind not in (argument.POSITIONAL_OR_KEYWORD, argument.KEYWORD_ONLY):
            raise FlowBuildError(
                f"The function of flow {name!r} can't take {str(argument).split(':')[0]!r}; "
                "each argument must be a parameter with its own name."
            )
    return signature


def _hints(fn: Callable[..., Any]) -> dict[str, Any]:
    """The types of the arguments, except those that can't be evaluated."""
    try:
        return typing.get_type_hints(fn, include_extras=True)
    except (NameError, TypeError, AttributeError):  # one that can't be evaluated takes no other one with it
        return {key: hint for key, hint in fn.__annotations__.items() if not isinstance(hint, str)}


def _tasks_of(returned: Any, name: str) -> list[Task]:
    tasks = list(returned) if isinstance(returned, list | tuple) else [returned]
    if not all(isinstance(item, Task) for item in tasks):
        raise FlowBuildError(
            f"The function of flow {name!r} must return a task, a list of tasks or nothing; it returned {returned!r}."
        )
    return tasks
