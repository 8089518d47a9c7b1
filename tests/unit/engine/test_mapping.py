"""Mapping with the local executor: widths, marks, order, reductions and what can't be mapped."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.core import states, triggers
from appliance.core.annotations import flatten, unmapped
from appliance.core.context import context
from appliance.core.flow import Flow
from appliance.core.signals import SKIP
from appliance.core.task_decorator import task


@task
def numbers() -> list[int]:
    return [1, 2, 3]


@task
def add(x: Any, y: Any = 0) -> Any:
    return x + y


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@task
def only_odd(x: int) -> int:
    if x % 2 == 0:
        raise ValueError("even")
    return x


def test_map_and_reduce() -> None:
    with Flow("f") as flow:
        n = numbers()
        a = add.map(n, unmapped(10))
        b = add.map(a, n)
        t = total(b)
        short = add.map(n, y=[100, 200])
    state = flow.run()
    assert isinstance(state, states.Success)
    assert state.result[b].result == [12, 14, 16]
    assert state.result[t].result == 42
    assert state.result[short].result == [101, 202]
    mapped = state.result[a]
    assert isinstance(mapped, states.Mapped)
    assert (mapped.n_map_states, [s.result for s in mapped.map_states]) == (3, [11, 12, 13])


def test_mapping_goes_depth_first() -> None:
    seen: list[tuple[str, int]] = []

    @task
    def step(x: int) -> int:
        seen.append((context.task_slug, context.map_index))
        return x

    with Flow("f") as flow:
        n = numbers()
        a = step.map(n)
        b = step.map(a)
        total(b)
        step.map(b)
    flow.run()
    assert seen[:6] == [("step-1", 0), ("step-2", 0), ("step-1", 1), ("step-2", 1), ("step-1", 2), ("step-2", 2)]
    assert seen[6:] == [("step-3", 0), ("step-3", 1), ("step-3", 2)]


def test_a_child_depends_on_its_own_upstream_child_only() -> None:
    with Flow("f") as flow:
        odd = only_odd.map(numbers())
        after = add.map(odd, unmapped(1))
        strict = total(odd)
        lenient = task(lambda xs: [type(x).__name__ for x in xs], name="lenient", trigger=triggers.any_successful)(odd)
    state = flow.run()
    assert isinstance(state, states.Failed)
    kinds = [type(s).__name__ for s in state.result[after].map_states]
    assert kinds == ["Success", "TriggerFailed", "Success"]
    assert isinstance(state.result[strict], states.TriggerFailed)
    assert state.result[lenient].result == ["int", "ValueError", "int"]
    assert (state.data["task_slug"], state.data["map_index"]) == ("only_odd-1", 1)


def test_skips_go_child_by_child() -> None:
    @task
    def skip_two(x: int) -> int:
        if x == 2:
            raise SKIP("two")
        return x

    with Flow("f") as flow:
        s = skip_two.map(numbers())
        a = add.map(s)
    state = flow.run()
    assert state is not None
    assert [type(c).__name__ for c in state.result[a].map_states] == ["Success", "Skipped", "Success"]


def test_nothing_to_map_is_fine_and_reduces_to_nothing() -> None:
    with Flow("f") as flow:
        a = add.map([])
        b = add.map(a)
        t = total(b)
    state = flow.run()
    assert isinstance(state, states.Success)
    assert state.result[t].result == 0
    assert state.result[b].result == []


@pytest.mark.parametrize(
    ("value", "says"), [(5, "returned int; return a list"), ({"a": 1}, "returned dict"), (None, "NoneType")]
)
def test_what_can_not_be_mapped(value: Any, says: str) -> None:
    with Flow("f") as flow:
        a = add.map(task(lambda: value, name="source")())
        total(a)
    state = flow.run()
    assert isinstance(state, states.Failed)
    assert type(state.result[a]) is states.Failed
    assert says in state.result[a].message


def test_mapping_over_a_failed_or_skipped_task() -> None:
    def boom() -> None:
        raise ValueError

    def skip() -> None:
        raise SKIP("no")

    with Flow("f") as flow:
        a = add.map(task(boom)())
        b = add.map(task(skip)())
        c = add.map(a)
    state = flow.run()
    assert state is not None
    assert type(state.result[a]) is states.TriggerFailed
    assert type(state.result[b]) is states.Skipped
    assert type(state.result[c]) is states.TriggerFailed


def test_flatten() -> None:
    with Flow("f") as flow:
        nested = task(lambda: [[1, 2], [3]], name="nested")()
        a = add.map(flatten(nested), unmapped(1))
        lists = task(lambda x: [x, x], name="twice").map(a)
        b = add.map(flatten(lists))
    state = flow.run()
    assert isinstance(state, states.Success)
    assert state.result[a].result == [2, 3, 4]
    assert state.result[b].result == [2, 2, 3, 3, 4, 4]


def test_upstream_tasks_of_mapped_tasks() -> None:
    with Flow("f") as flow:
        n = numbers()
        first = add.map(n)
        second = add.map(n, upstream_tasks=[first])
        third = add.map(n, upstream_tasks=[unmapped(first)])
    state = flow.run()
    assert isinstance(state, states.Success)
    assert state.result[second].result == state.result[third].result == [1, 2, 3]


def test_long_chains_of_mapped_tasks_need_no_recursion() -> None:
    with Flow("f") as flow:
        last = numbers()
        for _ in range(1500):
            last = add.map(last)
        t = total(last)
    state = flow.run()
    assert state is not None
    assert state.result[t].result == 6
