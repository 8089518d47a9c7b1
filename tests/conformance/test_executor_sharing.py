"""An executor object only describes where tasks run: any number of runs may use it, in turn, at the same time, and inside each other."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest

from appliance.core.flow import Flow
from appliance.core.parameter import Parameter
from appliance.core.states import Success
from appliance.core.task import Task
from appliance.core.task_decorator import task
from appliance.engine.executors import Executor, LocalExecutor, ThreadExecutor
from appliance.engine.executors.dask import DaskExecutor
from appliance.engine.executors.executor import ExecutorError

WAIT = 60


@task
def times(x: int, n: int) -> int:
    return x * n


@task
def total(xs: list[int]) -> int:
    return sum(xs)


def summing(name: str, executor: Executor | None = None) -> tuple[Flow, Task]:
    with Flow(name, executor=executor) as flow:
        result = total(times.map([1, 2, 3], [Parameter("n")] * 3))
    return flow, result


def at_once(count: int, work: Callable[[int], Any]) -> dict[int, Any]:
    """What `work(number)` returns in as many threads, all of which begin together."""
    outcomes: dict[int, Any] = {}
    gate = threading.Barrier(count)

    def one(number: int) -> None:
        gate.wait(WAIT)
        outcomes[number] = work(number)

    threads = [threading.Thread(target=one, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert not any(thread.is_alive() for thread in threads)
    return outcomes


def test_one_flow_in_several_threads_at_once(executor: Executor) -> None:
    flow, result = summing("f", executor)
    outcomes = at_once(3, lambda n: flow.run(n=n, progress=False).result[result].result)
    assert outcomes == {0: 0, 1: 6, 2: 12}


def test_several_flows_with_one_executor_at_once(executor: Executor) -> None:
    flows = [summing(f"f{n}", executor) for n in range(3)]
    outcomes = at_once(3, lambda n: flows[n][0].run(n=n, progress=False).result[flows[n][1]].result)
    assert outcomes == {0: 0, 1: 6, 2: 12}


@pytest.mark.parametrize("deep", [1, 2])
def test_a_run_inside_a_task_of_the_same_executor(executor: Executor, deep: int) -> None:
    if isinstance(executor, DaskExecutor):
        executor = ThreadExecutor(1)  # a task that waits for another on a full cluster waits for ever, whoever asks

    @task
    def nested(n: int, depth: int) -> int:
        if depth == 0:
            return n
        with Flow("inner") as flow:
            values = nested.map([n, n + 1], [depth - 1] * 2)
        children = flow.run(executor=executor, progress=False).result[values].map_states
        return sum(child.result for child in children)

    with Flow("outer", executor=executor) as flow:
        values = nested.map([1, 2], [deep, deep])
        after = total(values)
    assert flow.run(progress=False).result[after].result == {1: 8, 2: 20}[deep]


def test_a_run_leaves_no_trace_on_the_executor(executor: Executor) -> None:
    flow, _ = summing("f", executor)
    before = dict(vars(executor))
    during: list[dict[str, Any]] = []

    def look(*_arguments: Any) -> None:
        during.append(dict(vars(executor)))

    for task_ in flow.tasks:
        task_.state_handlers = (look,)
    assert isinstance(flow.run(n=1, progress=False), Success)
    assert during and all(seen == before for seen in during)
    assert vars(executor) == before


def test_an_executor_can_be_pickled_before_and_after_its_runs(executor: Executor) -> None:
    flow, result = summing("f", executor)
    for _ in range(2):
        flow.executor = pickle.loads(pickle.dumps(flow.executor))
        assert flow.run(n=1, progress=False).result[result].result == 6


def test_a_run_that_is_interrupted_does_not_touch_another(executor: Executor) -> None:
    """An error that ends one run, here of its hook, leaves a run that shares the executor as it is."""
    began, go_on = threading.Event(), threading.Event()

    def hold(*_arguments: Any) -> None:
        began.set()
        assert go_on.wait(WAIT)

    flow, result = summing("f", executor)
    other, _ = summing("g", executor)
    flow.sorted_tasks()[0].state_handlers = (hold,)

    def interrupt(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    other.sorted_tasks()[0].state_handlers = (interrupt,)

    def both(number: int) -> Any:
        if number == 0:
            return flow.run(n=1, progress=False).result[result].result
        assert began.wait(WAIT)
        try:
            return type(other.run(n=1, progress=False)).__name__
        finally:
            go_on.set()

    assert at_once(2, both) == {0: 6, 1: "Cancelled"}


@pytest.mark.parametrize("make", [ThreadExecutor], ids=["threads"])
def test_misuse_is_answered_with_a_sentence(make: Callable[[], Executor]) -> None:
    executor = make()
    call: Any = lambda _states: Success()  # noqa: E731 - the shortest call there is
    sentence = r"is not at work; use it inside `with executor\.open\(\) as pool:`"
    with pytest.raises(ExecutorError, match=sentence):
        executor.submit(call, {})
    with pytest.raises(ExecutorError, match=sentence):
        executor.wait([])
    with executor.open() as pool:
        assert isinstance(pool.wait([pool.submit(call, {})])[0], Success)
        with pytest.raises(ExecutorError, match=sentence):
            executor.submit(call, {})
    with pytest.raises(ExecutorError, match=sentence):
        pool.submit(call, {})
    pool.shutdown()  # once more: nothing is left to do


def test_the_local_executor_works_without_a_pool() -> None:
    assert isinstance(LocalExecutor().submit(lambda _states: Success(), {}), Success)
