"""Calls the function of a task: plain or async, with or without a timeout, optionally with its output sent to the log.

`carry_out` turns every outcome of the call into a state. An `Invocation` is the same call as a value that can be sent to another process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from appliance.core import artifacts, iterators, masking, served_secrets
from appliance.core.copies import SCALARS
from appliance.core.errors import OneShotError
from appliance.core.run_context import TaskRunContext, current_task_run
from appliance.core.signals import StateSignal
from appliance.core.states import Failed, Looped, Retrying, State, Success
from appliance.engine import failures, forks, thread_context
from appliance.engine.coroutines import ASYNC, finish
from appliance.engine.deadlines import Deadline, TaskTimeout
from appliance.engine.output import streams

Function = Callable[..., Any]
thread_context.carry(served_secrets.current)
thread_context.carry(artifacts.elsewhere)


@dataclass(slots=True)
class Invocation:
    """A task's code with everything it needs. Calling it runs the code in its context and returns the resulting state."""

    function: Function
    inputs: dict[str, Any]
    timeout: float | None
    output: streams.Streams | None
    context: TaskRunContext
    hidden: tuple[str, ...] = field(default_factory=masking.hidden, repr=False)  # secrets to mask where the code runs
    served: Mapping[str, served_secrets.Served] | None = field(default=None, repr=False)
    """What the server gives the run, for a process that can't ask it; None where the code runs in the run's own process."""

    def __call__(self) -> State:
        """Never raises, except KeyboardInterrupt."""
        masking.hide(*self.hidden)
        thread_context.follow()
        token = current_task_run.set(self.context)
        try:
            if self.served is None:
                return self._carried_out()
            with served_secrets.carried(self.served):
                return self._carried_out()
        finally:
            current_task_run.reset(token)

    def _carried_out(self) -> State:
        return masking.mask_state(carry_out(self.function, self.inputs, self.timeout, self.output, self.context))


def carry_out(
    function: Function,
    inputs: dict[str, Any],
    timeout: float | None,
    output: streams.Streams | None,
    context: TaskRunContext,
) -> State:
    """Run a task's code, in the thread whose task run is `context`, and turn its outcome into a state.

    The streams of `output` go to the log. If it is empty, the code's output is dropped; if None, it goes where it would without us.
    """
    deadline = None if timeout is None else Deadline(timeout)
    try:
        if deadline is None and output is None:
            result = _run(function, inputs)
        else:
            result = call(function, inputs, deadline, output, context.task_name)
    except StateSignal as signal:
        return _state_of(context, signal)
    except OneShotError as error:
        return Failed(f"The task's result can't be used: {error}", error)
    except TaskTimeout as late:
        if late.deadline is not deadline:  # of a task that runs a flow with this one
            raise
        return late.state()
    except KeyboardInterrupt as error:
        if threading.current_thread() is threading.main_thread():  # a person or the server is stopping the run
            raise
        return failures.failed_state(error)
    except BaseException as error:  # noqa: BLE001 - user code; whatever it raises becomes the state of the task
        return failures.failed_state(error)
    count = {"task_run_count": context.task_run_count}
    # If the task has decided itself how it ends; isinstance would ask the result.
    if type(result) not in SCALARS and issubclass(type(result), State):
        return _in_run(context, replace(result, context={**count, **result.context}))
    return Success("Task run succeeded.", result, count)


def _value(function: Function, result: Any) -> Any:
    return _kept(function, finish(result) if type(result) in ASYNC else result)


def _kept(function: Function, result: Any) -> Any:
    """What the function returned, as a value that can be read again."""
    if getattr(getattr(function, "__self__", None), "shares_result", False):  # a resource may be anything
        return result
    return iterators.listed(result)


def _state_of(context: TaskRunContext, signal: StateSignal) -> State:
    state = _in_run(context, signal.state)
    if isinstance(state, Failed):
        message = None if state.message is None else failures.excerpt(str(state.message))
        return type(state)(message, state.result, state.context, {**failures.describe(signal), **state.data})
    return state


def _in_run(context: TaskRunContext, state: State) -> State:
    """A state that the task's code chose, with a result that can be read again and the counts of this run."""
    try:
        result = iterators.listed(state.result)
    except OneShotError as error:
        return Failed(f"The task's result can't be used: {error}", error)
    if result is not state.result:
        state = replace(state, result=result)
    if isinstance(state, Looped):
        return Looped(state.message, state.result, loop_count=context.task_loop_count)
    if isinstance(state, Retrying):
        return Retrying(state.message, state.result, start_time=state.start_time, run_count=context.task_run_count)
    return state


def call(
    function: Function, inputs: dict[str, Any], deadline: Deadline | None, output: streams.Streams | None, name: str
) -> Any:
    """The result of `function(**inputs)`. The streams of `output` become log lines of the task `name`."""
    if output is None:
        return _call(function, inputs, deadline)
    with streams.capture(streams.logged(output, name)):
        return _call(function, inputs, deadline)


def _call(function: Function, inputs: dict[str, Any], deadline: Deadline | None) -> Any:
    if deadline is not None:
        return deadline.call(function, inputs, partial(_kept, function))
    return _run(function, inputs)


def _run(function: Function, inputs: dict[str, Any]) -> Any:
    generation = forks.generation
    try:
        result = function(**inputs)
        return result if type(result) in SCALARS else _value(function, result)
    finally:
        if forks.generation != generation:
            forks.end()
