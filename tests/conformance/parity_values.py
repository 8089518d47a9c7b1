"""Flows about what values become on their way from task to task, for the parity suite. Their tasks fail when something became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pandas

from appliance.core.context import context
from appliance.core.control import case, merge
from appliance.core.flow import Flow
from appliance.core.parameter import Parameter
from appliance.core.task import Task
from appliance.core.task_decorator import task
from tests.conformance.parity_cases import carried_out, retried
from tests.conformance.world import World


def expect(world: World, name: str, expected: Any, source: Any) -> Task:
    def check(value: Any) -> None:
        world.note(name)
        if repr(value) != repr(expected):
            raise AssertionError(f"{name} got {value!r}")

    made: Task = task(name=name)(check)(source)
    return made


@carried_out()
def iterators_as_results(world: World) -> Flow:
    def numbers() -> Iterator[int]:
        world.note("numbers")
        yield from range(3)

    with Flow("iterators") as flow:
        source = task(numbers)()
        for name in ("first", "second"):
            expect(world, name, [0, 1, 2], source)
        expect(world, "items", ([0, 1, 2], 7), task(lambda: (map(int, "012"), 7), name="pair")())
    return flow


@carried_out()
def arguments_that_are_changed(world: World) -> Flow:
    @task(**retried())
    def change(constant: Any, default: Any, result: Any) -> Any:
        for items in (constant, default, result["deep"]):
            items.append(context.task_run_count)
        if world.note("change") == 1:
            raise ConnectionError("not yet")
        return constant, default, result["deep"]

    with Flow("changes") as flow:
        default, result = Parameter("items", default=[]), task(lambda: {"deep": []}, name="result")()
        expect(world, "changed", ([2], [2], [2]), change([], default, result))
        expect(world, "default", [], default)
        expect(world, "untouched", {"deep": []}, result)
    return flow


@carried_out()
def tables(world: World) -> Flow:
    with Flow("tables") as flow:
        frame = task(lambda: pandas.DataFrame({"a": [3, 1, 2]}), name="frame")()
        ranked = task(lambda frame: frame["a"].sort_values(), name="ranked")(frame)
        expect(world, "by_position", [1, 2, 3], task(int, name="number").map(ranked))
        with case(frame, None):
            missing = task(lambda: 0, name="missing")()
        size = task(len, name="size")(merge(missing, frame))
        expect(world, "whole", 3, size)
        task(lambda frame: frame, name="all").map(frame)
    return flow


@carried_out()
def iterables_as_parameters(world: World) -> Flow:
    @task
    def total(values: Iterable[int]) -> int:
        return sum(values)

    with Flow("iterables") as flow:
        values = Parameter("values", default=[1, 2, 3])
        for name in ("one", "other"):
            expect(world, name, 6, total(values))
    return flow
