"""Case 90 at run time, and the memory of wide maps: large flows end in bounded time and memory, without recursion."""

from __future__ import annotations

import logging
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from appliance.core import states
from appliance.core.flow import Flow
from appliance.core.task import Task
from appliance.core.task_decorator import task
from appliance.engine.executors.executor import Executor
from appliance.engine.executors.local import LocalExecutor
from appliance.engine.executors.threads import ThreadExecutor
from appliance.engine.run import run_flow
from appliance.kit import clock

CHILD_BYTES = 2_000
"""Engine memory that a mapped child may take beyond its result."""
WIDTH = 10_000
IDS = ["local", "threads"]
everywhere = pytest.mark.parametrize("make", [LocalExecutor, lambda: ThreadExecutor(3)], ids=IDS)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logger = logging.getLogger("appliance.run")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)


@task
def same(x: Any) -> Any:
    return x


def wide(width: int, depth: int) -> tuple[Flow, Task]:
    elements = list(range(width))
    with Flow("wide") as flow:
        last: Task = task(lambda: elements, name="elements")()
        for _ in range(depth):
            last = same.map(last)
    return flow, last


@everywhere
@pytest.mark.parametrize("depth", [pytest.param(1, marks=pytest.mark.full), 2])
def test_case_90_a_mapped_child_costs_less_than_two_kilobytes(depth: int, make: Callable[[], Executor]) -> None:
    run_flow(wide(10, depth)[0], executor=make())
    flow, last = wide(WIDTH, depth)
    tracemalloc.start()
    try:
        final = run_flow(flow, executor=make())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(final.result[last].result) == WIDTH
    assert peak / (WIDTH * depth) < CHILD_BYTES


@pytest.mark.parametrize(
    "make", [pytest.param(LocalExecutor, marks=pytest.mark.full), lambda: ThreadExecutor(3)], ids=IDS
)
def test_case_90_a_map_of_100_000_ends(make: Callable[[], Executor]) -> None:
    flow, last = wide(100_000, 1)
    began = clock.monotonic()
    final = run_flow(flow, executor=make())
    assert final.result[last].n_map_states == 100_000
    assert final.result[last].result[-1] == 99_999
    assert clock.monotonic() - began < 60


@everywhere
def test_case_90_a_chain_of_5_000_and_a_flow_of_10_000_tasks_end(make: Callable[[], Executor]) -> None:
    with Flow("long") as flow:
        last: Any = 0
        for _ in range(5_000):
            last = same(last)
        for number in range(5_000):
            same(number)
    assert len(flow.tasks) == 10_000
    began = clock.monotonic()
    assert type(run_flow(flow, executor=make())) is states.Success
    assert clock.monotonic() - began < 60


def test_case_90_a_flow_without_tasks_succeeds() -> None:
    assert type(run_flow(Flow("empty"))) is states.Success
