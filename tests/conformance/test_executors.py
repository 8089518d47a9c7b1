"""One suite that every executor must pass: what a flow means does not depend on where its tasks run."""

from __future__ import annotations

import logging
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pytest

from appliance.core import artifacts, states
from appliance.core.annotations import flatten, unmapped
from appliance.core.context import context
from appliance.core.control import case, merge, switch
from appliance.core.flow import Flow
from appliance.core.logs import get_logger
from appliance.core.parameter import Parameter
from appliance.core.signals import LOOP
from appliance.core.states import State
from appliance.core.task import Task
from appliance.core.task_decorator import task
from appliance.core.triggers import all_failed, all_finished
from appliance.engine.executors import Executor, LocalExecutor, ProcessExecutor, ThreadExecutor
from appliance.engine.executors.dask import DaskExecutor
from appliance.kit import clock
from tests.conformance.executor_cases import Trace


@task
def add(x: Any, y: Any = 0) -> Any:
    return x + y


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@task
def fail() -> None:
    raise ValueError("no")


def run(flow: Flow, executor: Executor, **options: Any) -> State:
    state = flow.run(executor=executor, **options)
    assert state is not None
    return state


def test_a_graph_of_every_shape(executor: Executor) -> None:
    with Flow("f") as flow:
        a = add(1)
        b, c = add(a, 1), add(a, 2)
        d = add(b, c)
        mapped = add.map([d, d, d], [1, 2, 3])
        again = add.map(mapped)
        t = total(again)
        u = add(t, total(mapped))
    state = run(flow, executor)
    assert isinstance(state, states.Success)
    assert state.result[d].result == 5
    assert state.result[again].result == [6, 7, 8]
    assert state.result[u].result == 42


def test_an_executor_can_be_used_for_one_run_after_the_other(executor: Executor) -> None:
    with Flow("f", executor=executor) as flow:
        t = total(add.map([1, 2]))
    assert [flow.run().result[t].result for _ in range(3)] == [3, 3, 3]  # type: ignore[union-attr]


def test_mapping_in_all_its_forms(executor: Executor) -> None:
    @task
    def numbers(n: int) -> list[int]:
        return list(range(n))

    with Flow("f") as flow:
        empty = total(add.map(numbers(0)))
        unequal = add.map(numbers(3), numbers(2))
        whole = add.map(numbers(2), unmapped(10))
        nested = numbers.map([1, 3])
        flat = add.map(flatten(nested), unmapped(1))
        not_mappable = add.map(add(1))
    state = run(flow, executor)
    assert state.result[empty].result == 0
    assert state.result[unequal].result == [0, 2]
    assert state.result[whole].result == [10, 11]
    assert state.result[flat].result == [1, 1, 2, 3]
    assert isinstance(state.result[not_mappable], states.Failed)


def test_a_child_that_fails_holds_up_its_own_line_only(executor: Executor) -> None:
    @task
    def odd_ones_fail(x: int) -> int:
        if x % 2:
            raise ValueError(x)
        return x

    @task(trigger=all_finished)
    def kinds(xs: list[Any]) -> list[str]:
        return [type(x).__name__ for x in xs]

    with Flow("f") as flow:
        first = odd_ones_fail.map([0, 1, 2])
        second = add.map(first, unmapped(1))
        seen = kinds(first)
    state = run(flow, executor)
    names = [type(child).__name__ for child in state.result[second].map_states]
    assert names == ["Success", "TriggerFailed", "Success"]
    assert state.result[seen].result == ["int", "ValueError", "int"]


def test_mapping_is_depth_first(executor: Executor, trace: Trace) -> None:
    @task
    def step(name: str, x: int) -> int:
        trace.add(f"{name}{x}")
        threading.Event().wait(0.1)  # longer than a thread or process may be kept from going on
        return x

    with Flow("f") as flow:
        a = step.map(unmapped("a"), list(range(20)))
        b = step.map(unmapped("b"), a)
        step.map(unmapped("c"), b)
    run(flow, executor)
    order = trace.lines()
    assert len(order) == 60
    before = order[: max(order.index(f"a{x}") for x in range(20))]
    assert sum(line.startswith("c") for line in before) >= 10, "most lines are through before the last one begins"


def test_depth_first_is_strict_where_one_works_after_the_other(trace: Trace) -> None:
    @task
    def step(name: str, x: int) -> int:
        trace.add(f"{name}{x}")
        return x

    with Flow("f") as flow:
        a = step.map(unmapped("a"), [0, 1, 2])
        step.map(unmapped("b"), a)
    for executor in (LocalExecutor(), ThreadExecutor(max_workers=1)):
        trace.path.unlink(missing_ok=True)
        run(flow, executor)
        assert trace.lines() == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_branches(executor: Executor) -> None:
    with Flow("f") as flow:
        which = Parameter("which", default="a")
        with case(which, "a"):
            a = add(1, 1)
        with case(which, "b"):
            b = add(2, 2)
        merged = merge(a, b)
        one, two = add(10), add(20)
        switch(which, {"a": one, "b": two})
        after = add(two, 1)
    state = run(flow, executor, parameters={"which": "b"})
    assert isinstance(state.result[a], states.Skipped)
    assert state.result[merged].result == 4
    assert isinstance(state.result[one], states.Skipped)
    assert state.result[after].result == 21


def test_triggers(executor: Executor) -> None:
    with Flow("f") as flow:
        bad = fail()
        after = add(1, upstream_tasks=[bad])
        rescue = add.copy(trigger=all_failed).bind(2, upstream_tasks=[bad])
    state = run(flow, executor)
    assert isinstance(state.result[after], states.TriggerFailed)
    assert state.result[rescue].result == 2


def test_loops(executor: Executor) -> None:
    @task
    def count() -> int:
        so_far: int = context.task_loop_result or 0
        if context.task_loop_count < 4:
            raise LOOP("again", result=so_far + 1)
        return so_far

    with Flow("f") as flow:
        counted = count()
    assert run(flow, executor).result[counted].result == 3


def test_each_task_sees_its_own_context(executor: Executor) -> None:
    @task
    def who(x: int) -> tuple[Any, ...]:
        return x, context.task_slug, context.map_index, context.parameters["n"], context.flow_name, context["more"]

    with Flow("f") as flow:
        Parameter("n", default=7)
        w = who.map(list(range(20)))
    state = run(flow, executor, context={"more": [1]})
    assert state.result[w].result == [(i, "who-1", i, 7, "f", [1]) for i in range(20)]


def test_async_functions(executor: Executor) -> None:
    @task
    async def waits(x: int) -> int:
        import asyncio

        ready = asyncio.Event()
        asyncio.get_running_loop().call_soon(ready.set)
        await ready.wait()
        return x

    with Flow("f") as flow:
        t = total(waits.map([1, 2, 3]))
    assert run(flow, executor).result[t].result == 6


def test_tasks_written_as_classes(executor: Executor) -> None:
    seen: list[str] = []
    lock = threading.Lock()  # belongs to the handler and need not travel

    def handler(_task: Task, _old: State, new: State) -> None:
        with lock:
            seen.append(type(new).__name__)

    with Flow("f") as flow:
        scaled = Scale(3, state_handlers=[handler])(5)
    assert run(flow, executor).result[scaled].result == 15
    assert seen == ["Running", "Success"]


class Scale(Task):
    def __init__(self, factor: int, **options: Any) -> None:
        self.factor = factor
        super().__init__(**options)

    def run(self, x: int) -> int:
        return x * self.factor


def test_handlers_run_in_the_flows_process_and_may_replace_states(executor: Executor) -> None:
    seen: list[tuple[str, str]] = []

    def handler(_task: Task, old: State, new: State) -> State | None:
        seen.append((type(old).__name__, type(new).__name__))
        return states.Success("rescued", 5) if isinstance(new, states.Failed) else None

    with Flow("f") as flow:
        rescued = fail.copy(state_handlers=[handler]).bind()
    assert run(flow, executor).result[rescued].result == 5
    assert seen == [("Pending", "Running"), ("Running", "Failed")]


@contextmanager
def records() -> Iterator[list[logging.LogRecord]]:
    found: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record)

    handler, logger = Keep(), logging.getLogger("appliance.run")
    logger.addHandler(handler)
    try:
        yield found
    finally:
        logger.removeHandler(handler)


def test_artifacts_come_to_the_process_of_the_run(executor: Executor) -> None:
    @task
    def make(n: int) -> None:
        for number in range(2):
            artifacts.markdown(f"{n}.{number}", key="report")
        artifacts.file(b"x" * 100_000, name="large")
        artifacts.progress(100)

    made: list[artifacts.Artifact] = []
    artifacts.connect(made.append)
    try:
        with Flow("f") as flow:
            make.map([0, 1])
        assert run(flow, executor).is_successful()
    finally:
        artifacts.connect(None)
    found = sorted((one.map_index, one.kind, one.number, one.content[:4], len(one.content)) for one in made)
    of_each = [
        ("file", 0, b"xxxx", 100_000),
        ("markdown", 0, b"%d.0", 3),
        ("markdown", 1, b"%d.1", 3),
        ("progress", 0, b"", 0),
    ]
    assert found == [
        (n, kind, number, text.replace(b"%d", b"%d" % n), size) for n in (0, 1) for kind, number, text, size in of_each
    ]
    assert {one.task_slug for one in made} == {"make-1"} and len({one.flow_run_id for one in made}) == 1


def test_log_lines_belong_to_their_task(executor: Executor) -> None:
    @task
    def speak(x: int) -> int:
        get_logger("part").warning("number %d", x)
        try:
            raise KeyError("k")
        except KeyError:
            context.logger.exception("caught")
        return x

    @task(log_stdout=True)
    def prints(x: int) -> None:
        print(f"printed {x}")

    with Flow("f") as flow:
        prints.map(speak.map([5, 6]))
    with records() as found:
        run(flow, executor)
    mine = sorted(
        (r.task_slug, r.map_index, r.name, r.getMessage())  # type: ignore[attr-defined]
        for r in found
        if getattr(r, "task_slug", None) and r.levelno >= logging.INFO
    )
    assert mine == [
        *(("prints-1", i, "appliance.run.prints.stdout", f"printed {i + 5}") for i in range(2)),
        *(
            ("speak-1", i, name, text)
            for i in range(2)
            for name, text in (("appliance.run.part", f"number {i + 5}"), ("appliance.run.speak", "caught"))
        ),
    ]
    caught = next(r for r in found if r.getMessage() == "caught")
    assert "KeyError: 'k'" in logging.Formatter().format(caught)


def test_wide_maps_and_long_chains(executor: Executor) -> None:
    size = 150 if isinstance(executor, DaskExecutor) else 2000 if isinstance(executor, ProcessExecutor) else 5000
    with Flow("f") as flow:
        last = add(0, 1)
        for _ in range(size):
            last = add(last, 1)
        t = total(add.map(list(range(size)), upstream_tasks=[]))
    state = run(flow, executor)
    assert state.result[last].result == size + 1
    assert state.result[t].result == sum(range(size))


def test_runs_that_wait_for_a_retry_take_no_worker(executor: Executor) -> None:
    @task(max_retries=1, retry_delay=0.5)
    def fails_once(x: int) -> int:
        if context.task_run_count == 1:
            raise ValueError("again")
        return x

    with Flow("f") as flow:
        t = total(fails_once.map(list(range(30))))
    began = clock.monotonic()
    assert run(flow, executor).result[t].result == sum(range(30))
    assert clock.monotonic() - began < 30 * 0.5 / 2


@pytest.mark.parametrize("size", [0, 20_000_000], ids=["empty", "20 MB"])
def test_results_of_any_size(executor: Executor, size: int) -> None:
    @task
    def make() -> bytes:
        return b"x" * size

    @task
    def measure(content: bytes) -> int:
        return len(content)

    with Flow("f") as flow:
        measured = measure(make())
    assert run(flow, executor).result[measured].result == size


def test_two_flows_run_side_by_side(executor: Executor) -> None:
    def one(n: int) -> None:
        with Flow(f"f{n}") as flow:
            t = total(add.map(list(range(5)), unmapped(n)))
        found[n] = run(flow, executor if n == 0 else type(executor)(**options)).result[t].result

    options = {"address": executor.address} if isinstance(executor, DaskExecutor) else {}
    found: dict[int, int] = {}
    threads = [threading.Thread(target=one, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {0: 10, 1: 15}


def test_context_variables_of_one_task_are_not_seen_by_another() -> None:
    word: ContextVar[str] = ContextVar("word", default="none")

    @task
    def swaps(x: int) -> str:
        before = word.get()
        word.set(f"of {x}")
        return before

    with Flow("f") as flow:
        found = swaps.map(list(range(8)))
    token = word.set("outer")
    try:
        assert run(flow, ThreadExecutor(max_workers=1)).result[found].result == ["outer"] * 8
    finally:
        word.reset(token)


def test_a_queued_child_takes_little_memory() -> None:
    size = 4000
    with Flow("f") as flow:
        add.map(add.map(list(range(size))))
    run(flow, ThreadExecutor(max_workers=2))  # whatever is made once
    tracemalloc.start()
    try:
        run(flow, ThreadExecutor(max_workers=2))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak / (2 * size) < 2000
