"""A timeout that passes ends the attempt as TimedOut, whatever its code does about it, and attempts of a task never overlap."""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from appliance.core import signals, states
from appliance.core.context import context
from appliance.core.flow import Flow
from appliance.core.states import State
from appliance.core.task_decorator import task
from appliance.core.triggers import all_finished
from appliance.engine import overruns
from appliance.engine.executors import Executor, LocalExecutor, ThreadExecutor
from appliance.engine.flow_runner import FlowRunner
from appliance.testing import LogLines, log_lines

TIMEOUT = 0.1
WAIT = 30


def pause(seconds: float) -> None:
    """Wait in a way that a timer can interrupt in the main thread only."""
    threading.Event().wait(seconds)


def block() -> None:
    """Block this thread for longer than the timeout, as code does that no timer interrupts."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
    pause(3 * TIMEOUT)


def returns_late() -> str:
    block()
    return "late"


def swallows() -> str:
    try:  # noqa: SIM105 - this is how people write it
        pause(3 * TIMEOUT)
    except:  # noqa: E722 - nor does everybody name what they catch
        pass
    return "late"


def raises_something_else() -> None:
    try:
        pause(3 * TIMEOUT)
    finally:
        raise ConnectionError("lost")


def raises_late() -> None:
    block()
    raise ConnectionError("lost")


def succeeds_late() -> None:
    block()
    raise signals.SUCCESS("fine", result="late")


def skips_late() -> None:
    block()
    raise signals.SKIP("not needed")


def loops_late() -> None:
    block()
    raise signals.LOOP("again", result=1)


def retries_late() -> None:
    block()
    raise signals.RETRY("again")


async def blocks_the_loop() -> str:
    pause(3 * TIMEOUT)
    return "late"


async def swallows_the_cancellation() -> str:
    try:  # noqa: SIM105 - this is how people write it
        await asyncio.Event().wait()
    except:  # noqa: E722 - nor does everybody name what they catch
        pass
    return "late"


async def waits_for_ever() -> None:
    await asyncio.Event().wait()


async def raises_its_own_timeout() -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise TimeoutError("mine") from None


def returns_a_coroutine() -> Any:
    return blocks_the_loop()


class Callable_:
    async def __call__(self) -> str:
        return await blocks_the_loop()


WAYS: list[Callable[[], Any]] = [
    *(returns_late, swallows, raises_something_else, raises_late, succeeds_late, skips_late, loops_late, retries_late),
    *(blocks_the_loop, swallows_the_cancellation, waits_for_ever, raises_its_own_timeout, returns_a_coroutine),
    *(Callable_(), functools.partial(waits_for_ever)),
]


def name_of(way: Any) -> str:
    return str(getattr(way, "__name__", type(way).__name__))


def outcome(executor: Executor, code: Callable[[], Any], **options: Any) -> State:
    with Flow("f") as flow:
        tested = task(code, name=name_of(code), timeout=TIMEOUT, **options)()
    state = flow.run(executor=executor, progress=False).result[tested]
    assert isinstance(state, State)
    return state


def test_a_timeout_that_passes_ends_the_attempt_as_timed_out(executor: Executor) -> None:
    with Flow("f") as flow:
        tested = [task(way, name=name_of(way), timeout=TIMEOUT)() for way in WAYS]
    final = flow.run(executor=executor, progress=False)
    ends = {late.name: final.result[late] for late in tested}
    assert {name: type(state).__name__ for name, state in ends.items()} == dict.fromkeys(ends, "TimedOut")
    for state in ends.values():
        assert f"longer than its timeout of {TIMEOUT} s" in str(state.message)
        assert isinstance(state.result, TimeoutError)
        assert str(state.result) == state.message


@pytest.mark.parametrize("named", [TimeoutError, [KeyError, TimeoutError], OSError, None], ids=str)
def test_retry_on_can_name_a_timeout(executor: Executor, named: Any) -> None:
    def late_once() -> int:
        if context.task_run_count == 1:
            block()
        return int(context.task_run_count)

    assert outcome(executor, late_once, max_retries=1, retry_delay=0, retry_on=named).result == 2


def test_what_names_no_timeout_does_not_retry_one(executor: Executor) -> None:
    state = outcome(executor, returns_late, max_retries=1, retry_delay=0, retry_on=ValueError)
    assert type(state) is states.TimedOut


def test_an_error_that_comes_too_late_is_described() -> None:
    state = outcome(LocalExecutor(), raises_something_else)
    assert state.data["exception"] == "ConnectionError"


def test_except_exception_does_not_swallow_a_timeout() -> None:
    went_on: list[str] = []

    def careless() -> None:
        try:
            pause(WAIT)
        except Exception:
            went_on.append("swallowed")

    assert type(outcome(LocalExecutor(), careless)) is states.TimedOut
    assert not went_on


def test_the_timeout_of_an_outer_task_ends_the_run_inside_it() -> None:
    began: list[str] = []

    @task
    def inner(step: int) -> None:
        began.append(f"step {step}")
        pause(WAIT)

    def outer() -> None:
        with Flow("inner") as flow:
            inner.map([1, 2])
        flow.run(progress=False)

    assert type(outcome(LocalExecutor(), outer)) is states.TimedOut
    assert began == ["step 1"]


def test_the_timeout_of_an_outer_task_ends_an_async_task_with_a_longer_one() -> None:
    def outer() -> None:
        with Flow("inner") as flow:
            task(waits_for_ever, timeout=WAIT)()
        flow.run(progress=False)

    began = time.monotonic()
    assert type(outcome(LocalExecutor(), outer)) is states.TimedOut
    assert time.monotonic() - began < WAIT / 2


def test_the_timeout_of_an_outer_task_starts_no_more_tasks_in_the_threads_of_a_run_inside_it() -> None:
    began: list[int] = []

    @task
    def inner(step: int) -> int:
        began.append(step)
        pause(5 * TIMEOUT)
        return step + 1

    def outer() -> None:
        with Flow("inner") as flow:
            inner(inner(1))
        flow.run(executor=ThreadExecutor(1), progress=False)

    assert type(outcome(LocalExecutor(), outer)) is states.TimedOut
    assert began == [1]


# --- code that goes on


class Work:
    """Counts how many attempts are at work at once, in all and per element."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now: list[int] = []
        self.most, self.most_of_one, self.attempts = 0, 0, 0

    def __call__(self, x: int) -> int:
        with self.lock:
            self.now.append(x)
            self.attempts += 1
            self.most = max(self.most, len(self.now))
            self.most_of_one = max(self.most_of_one, self.now.count(x))
        try:
            pause(3 * TIMEOUT)
        finally:
            with self.lock:
                self.now.remove(x)
        return x


@pytest.fixture
def log() -> Iterator[LogLines]:
    with log_lines() as lines:
        yield lines


@pytest.mark.parametrize("delay", [0, 0.005, TIMEOUT])
@pytest.mark.parametrize(("workers", "elements"), [(1, 1), (1, 2), (2, 3), (4, 2)])
def test_attempts_in_threads_never_overlap_and_keep_their_workers(workers: int, elements: int, delay: float) -> None:
    work = Work()
    with Flow("f") as flow:
        task(lambda x: work(x), name="work", timeout=TIMEOUT, max_retries=1, retry_delay=delay).map(
            list(range(elements))
        )
    state = flow.run(executor=ThreadExecutor(workers), progress=False)
    assert isinstance(state, states.Failed)
    assert work.attempts == 2 * elements
    assert work.most_of_one == 1
    assert work.most <= workers


def test_attempts_of_a_run_in_another_thread_never_overlap() -> None:
    work = Work()
    with Flow("f") as flow:
        task(lambda x: work(x), name="work", timeout=TIMEOUT, max_retries=2, retry_delay=0.005)(1)
    thread = threading.Thread(target=flow.run, kwargs={"progress": False})
    thread.start()
    thread.join(WAIT)
    assert (work.attempts, work.most) == (3, 1)


@pytest.mark.parametrize("mapped", [False, True], ids=["tasks", "children"])
def test_tasks_of_a_run_in_another_thread_wait_for_code_that_goes_on(mapped: bool, log: LogLines) -> None:
    work = Work()
    late = task(lambda x: work(x), name="late", timeout=TIMEOUT)
    with Flow("f") as flow:
        if mapped:
            late.map([1, 2, 3])
        else:
            late(1)
            task(lambda x: work(x), name="after")(2)
            late(3)
    thread = threading.Thread(target=flow.run, kwargs={"progress": False})
    thread.start()
    thread.join(WAIT)
    assert (work.attempts, work.most) == (3, 1)
    name = "'late'[0]" if mapped else "'late'"
    waits = (
        f"Task {name} goes on after its timeout. Until it ends, its worker starts no other task, and it is not retried."
    )
    assert waits in log.messages


@pytest.mark.parametrize("make", [LocalExecutor, lambda: ThreadExecutor(1)], ids=["local", "threads"])
def test_code_that_never_ends_is_waited_for_once(
    make: Callable[[], Executor], monkeypatch: pytest.MonkeyPatch, log: LogLines
) -> None:
    monkeypatch.setattr(overruns, "PATIENCE", TIMEOUT)
    release = threading.Event()
    with Flow("f") as flow:
        task(lambda: release.wait(WAIT), name="hangs", timeout=TIMEOUT)()
        task(lambda x: x, name="other").map([1, 2, 3])
    thread = threading.Thread(target=flow.run, kwargs={"executor": make(), "progress": False})
    thread.start()
    thread.join(WAIT)
    release.set()
    assert sum("more at work than max_workers" in message for message in log.messages) == 1


def test_tasks_downstream_of_a_timeout_do_not_wait_for_its_code(log: LogLines) -> None:
    release = threading.Event()

    @task(timeout=TIMEOUT)
    def hangs() -> None:
        release.wait(WAIT)

    @task(trigger=all_finished)
    def after(_error: Any) -> bool:
        return release.is_set()

    with Flow("f") as flow:
        seen = after(hangs())
    state = flow.run(executor=ThreadExecutor(2), progress=False)
    release.set()
    assert state.result[seen].result is False
    assert (
        "Task 'hangs' still runs after its timeout and the end of the flow run; its result is dropped." in log.messages
    )


@pytest.mark.parametrize(
    ("delay", "sentence"),
    [
        (0, "Task 'slow' waits with its retry until its last attempt, which has timed out, ends."),
        (
            TIMEOUT,
            "Task 'slow' goes on after its timeout. Until it ends, its worker starts no other task, and it is not retried.",
        ),
    ],
)
def test_a_retry_that_waits_says_so(delay: float, sentence: str, log: LogLines) -> None:
    work = Work()
    with Flow("f") as flow:
        task(lambda: work(1), name="slow", timeout=TIMEOUT, max_retries=1, retry_delay=delay)()
    flow.run(executor=ThreadExecutor(2), progress=False)
    assert sentence in log.messages


def test_code_that_never_ends_is_not_retried_and_loses_its_worker(
    monkeypatch: pytest.MonkeyPatch, log: LogLines
) -> None:
    monkeypatch.setattr(overruns, "PATIENCE", TIMEOUT)
    release = threading.Event()
    attempts: list[int] = []

    @task(timeout=TIMEOUT, max_retries=3, retry_delay=0)
    def hangs() -> None:
        attempts.append(1)
        release.wait(WAIT)

    with Flow("f") as flow:
        stuck = hangs()
        other = task(lambda: 1)()
    state = flow.run(executor=ThreadExecutor(1), progress=False)
    release.set()
    assert type(state.result[stuck]) is states.TimedOut
    assert "still runs, so the task is not retried" in str(state.result[stuck].message)
    assert attempts == [1]
    assert state.result[other].result == 1
    assert any("more at work than max_workers" in message for message in log.messages)


def test_a_run_that_is_cancelled_does_not_wait_for_a_retry_that_waits() -> None:
    release, waits = threading.Event(), threading.Event()

    @task(timeout=TIMEOUT, max_retries=1, retry_delay=0)
    def hangs() -> None:
        release.wait(2 * WAIT)

    class Stopping(FlowRunner):
        def should_stop(self) -> bool:
            return waits.is_set()

    with Flow("f") as flow:
        stuck = hangs()

    class Watch(LogLines):
        def emit(self, record: Any) -> None:
            if "waits with its retry" in record.getMessage():
                waits.set()

    watch, logger = Watch(), logging.getLogger("appliance.run")
    logger.addHandler(watch)
    began = time.monotonic()
    try:
        state = Stopping(flow, ThreadExecutor(1)).run()
    finally:
        logger.removeHandler(watch)
        release.set()
    assert isinstance(state, states.Cancelled)
    assert isinstance(state.result[stuck], states.Cancelled)
    assert time.monotonic() - began < WAIT
