"""One suite that every executor must pass."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from appliance.core import states
from appliance.core.context import context
from appliance.core.flow import Flow
from appliance.core.states import State
from appliance.core.task import task
from appliance.engine.executors import Executor, LocalExecutor, ThreadExecutor
from appliance.engine.flow_runner import FlowRunner
from appliance.kit import clock

EXECUTORS: list[Callable[[], Executor]] = [LocalExecutor, ThreadExecutor, lambda: ThreadExecutor(max_workers=1)]


@pytest.fixture(params=EXECUTORS, ids=["local", "threads", "one thread"])
def executor(request: pytest.FixtureRequest) -> Executor:
    made: Executor = request.param()
    return made


@task
def add(x: Any, y: Any = 0) -> Any:
    return x + y


@task
def total(xs: list[int]) -> int:
    return sum(xs)


def test_a_graph_of_every_shape(executor: Executor) -> None:
    with Flow("f") as flow:
        a = add(1)
        b, c = add(a, 1), add(a, 2)
        d = add(b, c)
        mapped = add.map([d, d, d], [1, 2, 3])
        again = add.map(mapped)
        t = total(again)
        u = add(t, total(mapped))
    state = flow.run(executor=executor)
    assert isinstance(state, states.Success)
    assert state.result[d].result == 5
    assert state.result[again].result == [6, 7, 8]
    assert state.result[u].result == 42


def test_an_executor_can_be_used_for_one_run_after_the_other(executor: Executor) -> None:
    with Flow("f", executor=executor) as flow:
        t = total(add.map([1, 2]))
    assert [flow.run().result[t].result for _ in range(3)] == [3, 3, 3]  # type: ignore[union-attr]


def test_failures_retries_and_skips(executor: Executor) -> None:
    seen: list[int] = []

    def flaky() -> None:
        seen.append(context.task_run_count)
        raise ValueError("always")

    with Flow("f") as flow:
        bad = task(flaky, max_retries=1, retry_delay=timedelta(0))()
        after = add.map([1, 2], upstream_tasks=[bad])
    state = flow.run(executor=executor)
    assert isinstance(state, states.Failed)
    assert seen == [1, 2]
    assert isinstance(state.result[after], states.TriggerFailed)


def test_wide_maps_and_long_chains(executor: Executor) -> None:
    with Flow("f") as flow:
        last = add(0, 1)
        for _ in range(300):
            last = add(last, 1)
        t = total(add.map(list(range(300)), upstream_tasks=[]))
    state = flow.run(executor=executor)
    assert state is not None
    assert state.result[last].result == 301
    assert state.result[t].result == sum(range(300))


def test_each_task_sees_its_own_context(executor: Executor) -> None:
    @task
    def who(x: int) -> tuple[int, str, int]:
        return x, context.task_slug, context.map_index

    with Flow("f") as flow:
        w = who.map(list(range(20)))
    state = flow.run(executor=executor)
    assert state is not None
    assert state.result[w].result == [(i, "who-1", i) for i in range(20)]


def test_cancelling_starts_nothing_more(executor: Executor) -> None:
    stop = threading.Event()
    ran: list[str] = []

    class Stopping(FlowRunner):
        def should_stop(self) -> bool:
            return stop.is_set()

    def first() -> None:
        ran.append("first")
        stop.set()

    def second() -> None:
        ran.append("second")

    with Flow("f") as flow:
        a = task(first)()
        b = task(second)(upstream_tasks=[a])
    state: State = Stopping(flow, executor).run()
    assert isinstance(state, states.Cancelled)
    assert ran == ["first"]
    assert isinstance(state.result[b], states.Cancelled)


def test_threads_run_side_by_side() -> None:
    meeting = threading.Barrier(3, timeout=10)

    def meet() -> int:
        return meeting.wait()

    with Flow("f") as flow:
        everyone = [task(meet)() for _ in range(3)]
    state = flow.run(executor=ThreadExecutor(max_workers=3))
    assert state is not None
    assert sorted(state.result[t].result for t in everyone) == [0, 1, 2]


def test_waiting_for_one_mapping_holds_up_nothing_else() -> None:
    meeting = threading.Barrier(2, timeout=10)

    def source() -> list[int]:
        return [meeting.wait()]

    with Flow("f") as flow:
        totals = [total(add.map(task(source)())) for _ in range(2)]
    state = flow.run(executor=ThreadExecutor(max_workers=2))
    assert isinstance(state, states.Success)
    assert sorted(state.result[t].result for t in totals) == [0, 1]


def test_a_thread_pool_needs_a_thread() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ThreadExecutor(max_workers=0)


def test_runs_that_wait_for_a_retry_take_no_worker(executor: Executor) -> None:
    tries: dict[int, int] = {}

    @task(max_retries=1, retry_delay=0.1)
    def fails_once(x: int) -> int:
        tries[x] = tries.get(x, 0) + 1
        if tries[x] == 1:
            raise ValueError("again")
        return x

    with Flow("f") as flow:
        t = total(fails_once.map(list(range(30))))
    began = clock.monotonic()
    state = flow.run(executor=executor)
    assert state is not None
    assert state.result[t].result == sum(range(30))
    assert clock.monotonic() - began < 30 * 0.1 / 2
