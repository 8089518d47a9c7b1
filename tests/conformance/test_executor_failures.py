"""How tasks end that don't succeed, on every executor: with the same states, messages and places."""

from __future__ import annotations

import os
import signal
import threading
from datetime import timedelta
from typing import Any

import pytest

from appliance.core import signals, states
from appliance.core.context import context
from appliance.core.flow import Flow
from appliance.core.retries import LONGEST_WAIT
from appliance.core.states import State
from appliance.core.task import Task
from appliance.core.task_decorator import task
from appliance.engine.executors import Executor, LocalExecutor, ProcessExecutor
from appliance.engine.executors.dask import DaskExecutor
from appliance.engine.flow_runner import FlowRunner
from appliance.kit import clock
from tests.conformance.executor_cases import Trace


@task
def double(x: int) -> int:
    return 2 * x


class Two(Exception):
    """Can be pickled but not unpickled."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")


class Rude(BaseException):
    """Nothing that `except Exception` would catch."""


def outcome(executor: Executor, made: Task, *args: Any, **options: Any) -> State:
    """How a task ends, in a flow where another one must not be touched by it."""
    with Flow("f") as flow:
        tested = made(*args, task_args=options)
        other = double.map([1, 2])
    state = flow.run(executor=executor)
    assert state is not None
    assert state.result[other].result == [2, 4]
    found: State = state.result[tested]
    return found


def test_a_failure_shows_the_users_frames_and_place(executor: Executor) -> None:
    def boom() -> None:
        raise ValueError("broken")

    state = outcome(executor, task(boom))
    assert isinstance(state, states.Failed)
    assert state.message == "ValueError: broken"
    assert isinstance(state.result, ValueError)
    line = boom.__code__.co_firstlineno + 1
    assert state.data["location"] == f"test_executor_failures.py:{line} in boom"
    assert 'raise ValueError("broken")' in state.data["traceback"]
    assert "engine" not in state.data["traceback"]


@pytest.mark.parametrize(
    ("made", "kind", "result"),
    [
        (signals.SUCCESS("fine", result=4), states.Success, 4),
        (signals.SKIP("not today"), states.Skipped, None),
        (signals.VALIDATIONFAIL("odd", result=3), states.ValidationFailed, 3),
        (signals.TRIGGERFAIL("no"), states.TriggerFailed, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, signals.StateSignal) else "",
)
def test_signals(executor: Executor, made: signals.StateSignal, kind: type[State], result: Any) -> None:
    cls, message = type(made), made.state.message

    @task
    def ends() -> None:
        raise cls(message, result)

    state = outcome(executor, ends)
    assert type(state) is kind
    assert state.message == message
    if result is not None:
        assert state.result == result


@pytest.mark.parametrize("kind", [SystemExit, RecursionError, MemoryError, GeneratorExit, Rude, KeyboardInterrupt])
def test_whatever_a_task_raises_fails_it(executor: Executor, kind: type[BaseException]) -> None:
    @task
    def raises() -> None:
        raise kind("x")

    if kind is KeyboardInterrupt and isinstance(executor, LocalExecutor):  # in the main thread that is Ctrl-C
        with Flow("f", executor=executor) as flow:
            raises()
        assert isinstance(flow.run(progress=False), states.Cancelled)
        return
    state = outcome(executor, raises)
    assert isinstance(state, states.Failed)
    assert state.message == f"{kind.__name__}: x"
    assert isinstance(state.result, kind)


def test_a_group_of_exceptions(executor: Executor) -> None:
    @task
    def raises() -> None:
        raise ExceptionGroup("several", [ValueError("a"), KeyError("b")])

    state = outcome(executor, raises)
    assert isinstance(state.result, ExceptionGroup)
    assert "KeyError: 'b'" in state.data["traceback"]


def test_retries(executor: Executor) -> None:
    @task(max_retries=2, retry_delay=timedelta(0), retry_on=[Two, ZeroDivisionError])
    def flaky() -> int:
        if context.task_run_count < 3:
            return 1 // 0
        return 5

    assert outcome(executor, flaky).result == 5


def test_only_what_retry_on_names_is_retried(executor: Executor, trace: Trace) -> None:
    @task(max_retries=2, retry_delay=timedelta(0), retry_on=KeyError)
    def fails() -> None:
        trace.add("tried")
        raise ValueError("no")

    assert isinstance(outcome(executor, fails), states.Failed)
    assert trace.lines() == ["tried"]


def test_a_timeout_ends_the_task(executor: Executor) -> None:
    ended: list[float] = []

    def note(_task: Task, _state: State) -> None:
        ended.append(clock.monotonic())

    @task(timeout=0.3, on_failure=note)
    def hangs() -> None:
        threading.Event().wait(4)

    began = clock.monotonic()
    state = outcome(executor, hangs)
    assert isinstance(state, states.TimedOut)
    assert "longer than its timeout of 0.3 s" in str(state.message)
    assert ended[0] - began < 4


def test_a_timeout_is_retried(executor: Executor) -> None:
    @task(timeout=0.3, max_retries=1, retry_delay=0)
    def hangs_once() -> str:
        if context.task_run_count == 1:
            threading.Event().wait(4)
        return "done"

    assert outcome(executor, hangs_once).result == "done"


def test_timeouts_of_async_functions(executor: Executor) -> None:
    @task(timeout=0.3)
    async def hangs() -> None:
        import asyncio

        await asyncio.Event().wait()

    assert isinstance(outcome(executor, hangs), states.TimedOut)


def test_a_timeout_may_be_longer_than_any_clock(executor: Executor) -> None:
    assert outcome(executor, double, 4, timeout=LONGEST_WAIT).result == 8


def test_cancelling_starts_nothing_more(executor: Executor, trace: Trace) -> None:
    @task
    def adds(line: str) -> None:
        trace.add(line)

    class Stopping(FlowRunner):
        def should_stop(self) -> bool:
            return "first" in trace.lines()

    with Flow("f") as flow:
        a = adds("first")
        b = adds("second", upstream_tasks=[a])
    state: State = Stopping(flow, executor).run()
    assert isinstance(state, states.Cancelled)
    assert trace.lines() == ["first"]
    assert isinstance(state.result[b], states.Cancelled)


def test_ctrl_c_cancels_the_run(executor: Executor, trace: Trace) -> None:
    @task
    def waits() -> None:
        trace.add("began")
        trace.wait_for("released")

    @task
    def after() -> None:
        trace.add("after")

    def interrupt() -> None:
        trace.wait_for("began")
        os.kill(os.getpid(), signal.SIGINT)
        if not isinstance(executor, ProcessExecutor):  # its tasks are killed; others can't be
            threading.Event().wait(0.2)
            trace.add("released")

    with Flow("f") as flow:
        after(upstream_tasks=[waits()])
    helper = threading.Thread(target=interrupt)
    helper.start()
    state = flow.run(executor=executor)
    helper.join()
    assert isinstance(state, states.Cancelled)
    assert "after" not in trace.lines()


# --- what has to travel to another process


def test_what_cannot_be_pickled_is_named(remote: Executor) -> None:
    @task
    def takes(thing: Any) -> None:
        pass

    lock = threading.Lock()

    @task
    def holds() -> None:
        lock.acquire()

    state = outcome(remote, takes, lock)
    assert "its argument 'thing', a lock, can't be pickled: TypeError: cannot pickle '_thread.lock'" in str(
        state.message
    )
    state = outcome(remote, holds)
    assert "Task 'holds' can't be sent to another process because its code can't be pickled" in str(state.message)


class Reduces:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> Any:
        raise self.error


@pytest.mark.parametrize(
    "error", [ValueError("no"), RecursionError("deep"), SystemExit(1)], ids=lambda e: type(e).__name__
)
def test_a_reduce_that_raises(remote: Executor, error: BaseException) -> None:
    @task
    def makes() -> Any:
        return Reduces(error)

    assert "a Reduces, can't be pickled to leave its process" in str(outcome(remote, makes).message)


def test_results_that_cannot_be_pickled(remote: Executor) -> None:
    @task
    def makes() -> Any:
        return threading.Lock()

    state = outcome(remote, makes)
    assert isinstance(state, states.Failed)
    assert "The result of the task, a lock, can't be pickled to leave its process" in str(state.message)


def test_exceptions_that_cannot_travel_leave_their_text(remote: Executor) -> None:
    @task
    def raises_two() -> None:
        raise Two(1, 2)

    @task
    def raises_generator() -> None:
        raise ValueError(x for x in range(3))

    state = outcome(remote, raises_two)
    assert str(state.message).startswith("Two: 1 and 2 (The exception itself can't be unpickled")
    assert "raise Two(1, 2)" in state.data["traceback"]
    state = outcome(remote, raises_generator)
    assert "The exception itself can't be pickled" in str(state.message)


def test_a_module_that_is_missing_there(remote: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    made = types.ModuleType("only_here")
    made.Thing = type("Thing", (), {"__module__": "only_here"})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "only_here", made)
    state = outcome(remote, double, made.Thing())
    assert "can't be loaded in the worker process: ModuleNotFoundError: No module named 'only_here'" in str(
        state.message
    )


@pytest.mark.parametrize("how", ["exits", "is killed", "crashes"])
def test_a_worker_that_dies_fails_its_task_only(remote: Executor, how: str) -> None:
    @task
    def dies() -> None:
        if how == "exits":
            os._exit(3)
        os.kill(os.getpid(), signal.SIGKILL if how == "is killed" else signal.SIGSEGV)

    state = outcome(remote, dies)
    assert isinstance(state, states.Crashed)
    if isinstance(remote, DaskExecutor):
        assert "The Dask worker at tcp://" in str(state.message)
    else:
        assert {"exits": "exit code 3", "is killed": "SIGKILL", "crashes": "SIGSEGV"}[how] in str(state.message)


def test_a_worker_that_dies_is_retried_as_any_failure(remote: Executor) -> None:
    @task(max_retries=1, retry_delay=0)
    def dies_once() -> int:
        if context.task_run_count == 1:
            os._exit(1)
        return 5

    assert outcome(remote, dies_once).result == 5
