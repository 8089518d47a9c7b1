"""Calls the function of a task: plain or async, with or without a timeout, optionally with its output sent to the log.

`carry_out` turns every outcome of the call into a state. An `Invocation` is the same call as a value that can be sent to another process.
"""

from __future__ import annotations

import contextvars
import inspect
import math
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import AsyncGeneratorType, CoroutineType, FrameType
from typing import Any

from appliance.core import iterators, masking
from appliance.core.copies import SCALARS
from appliance.core.errors import OneShotError
from appliance.core.run_context import TaskRunContext, current_task_run
from appliance.core.signals import StateSignal
from appliance.core.states import Failed, Looped, Retrying, State, Success, TimedOut
from appliance.engine import failures, thread_context
from appliance.engine.output import streams
from appliance.kit import clock

Function = Callable[..., Any]

_LONGEST = 1e8
"""Seconds. Longer timeouts exceed the limits of the system's timers."""


@dataclass(slots=True)
class Invocation:
    """A task's code with everything it needs. Calling it runs the code in its context and returns the resulting state."""

    function: Function
    inputs: dict[str, Any]
    timeout: float | None
    output: streams.Streams | None
    context: TaskRunContext
    hidden: tuple[str, ...] = field(default_factory=masking.hidden, repr=False)  # secrets to mask where the code runs

    def __call__(self) -> State:
        """Never raises, except KeyboardInterrupt."""
        masking.hide(*self.hidden)
        thread_context.follow()
        token = current_task_run.set(self.context)
        try:
            state = carry_out(self.function, self.inputs, self.timeout, self.output, self.context)
            return masking.mask_state(state)
        finally:
            current_task_run.reset(token)


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
    try:
        if timeout is None and output is None:
            result = function(**inputs)
            if type(result) not in SCALARS:
                result = _value(function, result)
        else:
            result = call(function, inputs, timeout, output, context.task_name)
    except StateSignal as signal:
        return _state_of(context, signal)
    except OneShotError as error:
        return Failed(f"The task's result can't be used: {error}", error)
    except SoftTimeout:
        return TimedOut(
            f"The task ran longer than its timeout of {timeout:g} s; outside the main thread it can't be stopped, "
            "so it continues in the background and its result is dropped."
        )
    except TaskTimeout:
        return TimedOut(f"The task ran longer than its timeout of {timeout:g} s and was stopped.")
    except KeyboardInterrupt as error:
        if threading.current_thread() is threading.main_thread():  # a person or the server is stopping the run
            raise
        return failures.failed_state(error)
    except BaseException as error:  # noqa: BLE001 - user code; whatever it raises becomes the state of the task
        return failures.failed_state(error)
    count = {"task_run_count": context.task_run_count}
    if type(result) not in SCALARS and issubclass(
        type(result), State
    ):  # the task has decided itself how it ends; isinstance would ask the result
        return _in_run(context, replace(result, context={**count, **result.context}))
    return Success("Task run succeeded.", result, count)


def _value(function: Function, result: Any) -> Any:
    """What the function returned, as a value that can be read again: a coroutine's result, and a list of what an iterator yields."""
    if type(result) is CoroutineType:
        result = finish(result, None)
    if type(result) is AsyncGeneratorType:
        return finish(_collected(result), None)
    if getattr(getattr(function, "__self__", None), "shares_result", False):  # a resource may be anything
        return result
    return iterators.listed(result)


async def _collected(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]


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


class TaskTimeout(BaseException):
    """Raised inside a task that exceeds its timeout. It is not an Exception, so that user code doesn't swallow it by accident."""


class SoftTimeout(TaskTimeout):
    """The timeout has passed, but the task's thread can't be stopped and continues."""


def call(
    function: Function, inputs: dict[str, Any], timeout: float | None, output: streams.Streams | None, name: str
) -> Any:
    """The result of `function(**inputs)`. The streams of `output` become log lines of the task `name`."""
    if output is not None:
        with streams.capture(streams.logged(output, name)):
            return call(function, inputs, timeout, None, name)
    if timeout is not None:
        return _limited(function, inputs, timeout)
    return _value(function, function(**inputs))


def _limited(function: Function, inputs: dict[str, Any], timeout: float) -> Any:
    timeout = min(timeout, _LONGEST)
    if inspect.iscoroutinefunction(function):
        return _value(function, finish(function(**inputs), timeout))
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
        with _alarm(timeout):
            return _value(function, function(**inputs))
    return _in_thread(lambda: _value(function, function(**inputs)), timeout)


@contextmanager
def _alarm(timeout: float) -> Iterator[None]:
    def ring(_number: int, _frame: FrameType | None) -> None:
        raise TaskTimeout

    handler = signal.signal(signal.SIGALRM, ring)
    began = clock.monotonic()
    outer, _ = signal.setitimer(signal.ITIMER_REAL, timeout)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if outer:  # a flow run inside a task that has its own timeout: restore that timer
            signal.setitimer(signal.ITIMER_REAL, max(outer - (clock.monotonic() - began), 0.001))


def finish(coroutine: Any, timeout: float | None) -> Any:
    """Run a coroutine to completion, in a separate thread if this one already has an event loop."""
    import asyncio  # takes 30 ms, which a flow without async tasks can save

    async def limited() -> Any:
        try:
            async with asyncio.timeout(timeout) as limit:
                return await coroutine
        except TimeoutError:
            if limit.expired():
                raise TaskTimeout from None
            raise

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        busy = False
    else:
        busy = True
    return _in_thread(lambda: asyncio.run(limited()), math.inf) if busy else asyncio.run(limited())


def _in_thread(function: Callable[[], Any], timeout: float) -> Any:
    outcome: dict[str, Any] = {}
    context = contextvars.copy_context()

    def work() -> None:
        try:
            outcome["result"] = context.run(function)
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            outcome["error"] = error

    thread = threading.Thread(target=work, name="appliance-timeout", daemon=True)
    thread.start()
    thread.join(None if timeout == math.inf else timeout)
    if thread.is_alive():
        raise SoftTimeout
    if "error" in outcome:
        raise outcome["error"]
    return outcome["result"]
