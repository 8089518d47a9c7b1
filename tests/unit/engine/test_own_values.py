"""A run, a child and an attempt start from what was written, not from what an earlier one made of it."""

from __future__ import annotations

import functools
import sys
from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, defaultdict, deque, namedtuple
from datetime import timedelta
from typing import Any

import pytest

from appliance import Flow, LocalExecutor, Parameter, ThreadExecutor, context, resource_manager, signals, task, unmapped
from appliance.core.copies import MOST_BYTES, own
from appliance.core.states import State

Pair = namedtuple("Pair", "left right")

EXECUTORS = [LocalExecutor, ThreadExecutor]


@task
def add(items: Any) -> Any:
    items.append(1)
    return list(items)


@task
def make() -> Any:
    return []


def results(flow: Flow, *tasks: Any, executor: Any = None, **options: Any) -> list[Any]:
    state = flow.run(executor=executor, progress=False, **options)
    assert isinstance(state, State) and state.is_successful(), state
    return [state.result[one].result for one in tasks]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_run_does_not_see_what_an_earlier_one_did(executor: Any) -> None:
    given: list[int] = []
    with Flow("f") as flow:
        default = add(Parameter("default", default=[]))
        passed = add(Parameter("passed", type=list))
        constant = add([])
        element = add.map([[], []])
    expected = [[1], [1], [1], [[1], [1]]]
    for _ in range(2):
        assert results(flow, default, passed, constant, element, executor=executor(), passed=given) == expected
    assert given == []


@pytest.mark.parametrize("executor", EXECUTORS)
def test_tasks_and_children_do_not_see_what_their_siblings_did(executor: Any) -> None:
    @task
    def both(number: int, items: Any) -> Any:
        items.append(number)
        return items

    with Flow("f") as flow:
        shared = make()
        first, second = add(shared), add(shared)
        constant = both.map([1, 2, 3], unmapped([]))
        result = both.map([1, 2, 3], unmapped(shared))
        reduced = add(constant)
    each = [[1], [2], [3]]
    assert results(flow, shared, first, second, constant, result, reduced, executor=executor()) == [
        *([], [1], [1], each, each, [*each, 1])
    ]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_defaults_of_a_function_are_as_they_were_written(executor: Any) -> None:
    @task(max_retries=1, retry_delay=timedelta(0))
    def collect(number: int, items: Any = [], *, more: Any = {"a": []}) -> Any:  # noqa: B006 - what authors write
        items.append(number)
        more["a"].append(number)
        if context.task_run_count == 1:
            raise ValueError("not yet")
        return items, more["a"]

    with Flow("f") as flow:
        mapped, given = collect.map([1, 2]), collect(3, [0])
    for _ in range(2):
        assert results(flow, mapped, given, executor=executor()) == [[([1], [1]), ([2], [2])], ([0, 3], [3])]


def test_a_decorated_function_is_called_as_before() -> None:
    def inside(number: int, items: Any = []) -> Any:  # noqa: B006 - what authors write
        return number, items

    @functools.wraps(inside)
    def around(number: int) -> Any:
        return inside(number, [0])

    with Flow("f") as flow:
        found = task(around)(1)
    assert results(flow, found) == [(1, [0])]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_an_attempt_does_not_see_what_an_earlier_one_did(executor: Any) -> None:
    @task(max_retries=2, retry_delay=timedelta(0))
    def picky(constant: Any, result: Any, given: Any) -> Any:
        for items in (constant, result["deep"], given):
            items.append(context.task_run_count)
        if context.task_run_count < 3:
            raise ValueError("not yet")
        return constant, result["deep"], given

    @task
    def nested() -> Any:
        return {"deep": []}

    with Flow("f") as flow:
        picked = picky([], nested(), Parameter("given", default=[]))
    assert results(flow, picked, executor=executor()) == [([3], [3], [3])]


def test_what_the_context_holds_stays_as_it_was_given() -> None:
    @task(max_retries=1, retry_delay=timedelta(0))
    def change() -> Any:
        for items in (context.parameters["items"], context.extra, context["extra"]):
            items.append(1)
        if context.task_run_count == 1:
            raise ValueError("not yet")
        return list(context.parameters["items"]), list(context.extra)

    @task(max_retries=1, retry_delay=timedelta(0))
    def rounds() -> Any:
        if context.task_loop_count == 1:
            raise signals.LOOP(result=[1])
        context.task_loop_result.append(2)
        if context.task_run_count == 1:
            raise ValueError("not yet")
        return context.task_loop_result

    with Flow("f") as flow:
        Parameter("items", default=[])
        changed, looped = change(), rounds()
    extra: list[int] = []
    for _ in range(2):
        assert results(flow, changed, looped, context={"extra": extra}) == [([1], [1, 1]), [1, 2]]
    assert extra == []


@pytest.mark.parametrize("executor", EXECUTORS)
def test_what_a_task_does_to_its_context_stays_with_its_attempt(executor: Any) -> None:
    def add(number: int) -> Any:
        for items in (context.parameters["items"], context["parameters"]["items"], context.extra):
            items.append(number)
        context.parameters["more"] = number
        return list(context.parameters["items"]), list(context.extra), context.parameters["more"]

    @task(max_retries=1, retry_delay=timedelta(0))
    def adds(number: int) -> Any:
        seen = add(number)
        if context.task_run_count == 1:
            raise ValueError("not yet")
        return seen, "more" in context.parameters

    @task
    def has() -> Any:
        return list(context.parameters["items"]), list(context.extra), "more" in context.parameters

    with Flow("f") as flow:
        Parameter("items", default=[0])
        one, other = adds(1), adds(2)
        after = has(upstream_tasks=[one, other])
    expected = [(([0, 1, 1], [1], 1), True), (([0, 2, 2], [2], 2), True), ([0], [], False)]
    for _ in range(2):
        assert results(flow, one, other, after, executor=executor(), context={"extra": []}) == expected


def test_every_round_of_a_loop_has_its_own_context() -> None:
    @task
    def rounds() -> Any:
        context.parameters["items"].append(context.task_loop_count)
        if context.task_loop_count < 3:
            raise signals.LOOP(result=[])
        return context.parameters["items"]

    with Flow("f") as flow:
        Parameter("items", default=[])
        looped = rounds()
    assert results(flow, looped) == [[3]]


def test_a_resource_is_one_thing_for_all_that_use_it() -> None:
    seen = []

    @resource_manager
    class Log:
        def setup(self) -> Any:
            return []

        def cleanup(self, resource: Any) -> None:
            seen.append(list(resource))

    with Flow("f") as flow, Log() as log:
        first = add(log)
        add(log, upstream_tasks=[first])
    results(flow)
    assert seen == [[1, 1]]


def _nested() -> list[Any]:
    inner: list[int] = [1]
    return [
        *(inner, {"a": inner}, (inner,), Pair(inner, 2), deque([inner], 3), defaultdict(list, a=inner), OrderedDict(a=inner)),
        *(UserDict(a=inner), UserList([inner]), ChainMap({"a": inner}), [[[inner]]], {"a": ({"b": inner},)}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value", [*_nested(), {1}, bytearray(b"a"), Counter("aab")], ids=lambda value: type(value).__name__
)
def test_small_containers_are_copied_at_every_depth(value: Any) -> None:
    found = own(value)
    assert found == value and type(found) is type(value) and found is not value
    assert repr(found) == repr(value)
    stack = [(found, value)]
    while stack:
        a, b = stack.pop()
        if isinstance(b, int | str):
            continue
        assert a is not b
        if isinstance(b, dict | UserDict | ChainMap):
            stack += [(a[key], b[key]) for key in b]
        elif isinstance(b, list | tuple | deque | UserList):
            stack += zip(a, b, strict=True)


def test_what_was_one_object_stays_one_and_may_contain_itself() -> None:
    inner: list[Any] = []
    inner.append(inner)
    found = own({"a": inner, "b": inner, "plain": (1, 2)})
    assert found["a"] is found["b"] is found["a"][0] and found["a"] is not inner


class Custom(list[int]):
    """A class of a user, which may not be copied like a list."""


@pytest.mark.parametrize(
    "value",
    [
        *(None, 1, "text", b"bytes", (1, "a"), frozenset({1}), object(), Custom([1])),
        *(list(range(MOST_BYTES)), [bytearray(MOST_BYTES)], [{"a": number} for number in range(1000)]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_everything_else_is_shared(value: Any) -> None:
    assert own(value) is value


def test_text_in_a_container_does_not_make_it_large() -> None:
    value = ["x" * MOST_BYTES]
    assert own(value) is not value
    depth: list[Any] = []
    for _ in range(sys.getrecursionlimit()):
        depth = [depth]
    assert own(depth) is depth, "nested more deeply than Python can follow"
