"""A result is the same for everybody who reads it: iterators become lists, and what can be read only once fails its own task."""

from __future__ import annotations

import csv
import itertools
import sqlite3
from collections import OrderedDict, defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from appliance import (
    Flow,
    LocalExecutor,
    MemoryResult,
    Parameter,
    ProcessExecutor,
    ThreadExecutor,
    context,
    resource_manager,
    signals,
    task,
)
from appliance.core import iterators, states


def yields() -> Iterator[int]:
    yield from range(4)


async def yields_async() -> AsyncIterator[int]:
    for number in range(4):
        yield number


async def awaits_and_returns() -> Iterator[int]:
    return yields()


def succeeds() -> None:
    raise signals.SUCCESS(result=yields())


ITERATORS: list[Callable[[], Any]] = [
    *(yields, yields_async, awaits_and_returns, succeeds),
    lambda: map(int, "0123"),
    lambda: filter(lambda n: True, range(4)),
    lambda: (number for number in range(4)),
    lambda: iter([0, 1, 2, 3]),
    lambda: iter({0: 0, 1: 1, 2: 2, 3: 3}),
    lambda: reversed([3, 2, 1, 0]),
    lambda: itertools.chain([0, 1], [2, 3]),
    lambda: itertools.islice(itertools.count(), 4),
    lambda: (n for n, _ in zip(range(4), range(4), strict=True)),
]


@task
def total(values: Any) -> Any:
    return sum(values)


@task
def top(values: Any) -> Any:
    return max(values, default=None)


def read_twice(function: Callable[[], Any], executor: Any = None, **options: Any) -> Any:
    with Flow("f", **options) as flow:
        numbers = task(function, name="numbers", log_stdout=False)()
        a, b = total(numbers), top(numbers)
    state = flow.run(executor=executor, progress=False)
    assert isinstance(state, states.State) and state.is_successful(), state.result
    return state.result[a].result, state.result[b].result


@pytest.mark.parametrize("function", ITERATORS)
def test_an_iterator_is_a_list_to_every_reader(function: Callable[[], Any]) -> None:
    assert read_twice(function) == (6, 3)


@pytest.mark.parametrize("executor", [LocalExecutor, ThreadExecutor, ProcessExecutor])
def test_on_every_executor_and_where_results_are_stored(executor: Any) -> None:
    for function in (yields, yields_async, succeeds):
        assert read_twice(function, executor(), result=MemoryResult()) == (6, 3)


@pytest.mark.parametrize("options", [{"timeout": 60}, {"log_stdout": True}, {"timeout": 60, "log_stdout": True}])
def test_with_options_that_change_the_call(options: Any) -> None:
    for function in (yields, yields_async, awaits_and_returns):
        with Flow("f") as flow:
            values = task(function, **options)()
        for executor in (LocalExecutor(), ThreadExecutor()):
            state = flow.run(executor=executor, progress=False)
            assert state is not None
            assert state.result[values].result == [0, 1, 2, 3]


def test_what_a_generator_does_belongs_to_its_task() -> None:
    @task
    def named() -> Any:
        yield context.task_name
        raise ValueError("in the middle")

    with Flow("f") as flow:
        failed = named()
    state = flow.run(progress=False)
    assert state is not None
    assert state.result[failed].message == "ValueError: in the middle"


def test_items_of_a_result_are_lists_too_and_children_can_be_made_of_them() -> None:
    @task(nout=2)
    def pair() -> Any:
        return yields(), {"rows": yields(), "more": [yields(), 1]}

    with Flow("f") as flow:
        first, second = pair()
        children = total.map([yields(), yields()])
        mapped = task(lambda x: x + 1, name="next").map(task(yields)())
    state = flow.run(progress=False)
    assert state is not None
    assert state.result[first].result == [0, 1, 2, 3]
    assert state.result[children].result == [6, 6]
    assert state.result[mapped].result == [1, 2, 3, 4]
    assert state.result[second].result == {"rows": [0, 1, 2, 3], "more": [[0, 1, 2, 3], 1]}


class Row(NamedTuple):
    name: str
    rows: Any


class Rows(list[Any]):
    """A list with a field beside its items."""

    source = "none"


def rows(source: str) -> Rows:
    made = Rows([yields()])
    made.source = source
    return made


@dataclass
class Table:
    name: str
    lines: Any
    rest: Any = ()


@dataclass(frozen=True, slots=True)
class Frozen:
    lines: Any


LISTED: dict[str, tuple[Callable[[], Any], Any]] = {
    "a list": (lambda: [yields(), 1], [[0, 1, 2, 3], 1]),
    "a tuple": (lambda: (yields(), 1), ([0, 1, 2, 3], 1)),
    "a named tuple": (lambda: Row("a", yields()), Row("a", [0, 1, 2, 3])),
    "a named tuple in a list": (lambda: [Row("a", yields())], [Row("a", [0, 1, 2, 3])]),
    "a deque": (lambda: deque([yields()], 3), deque([[0, 1, 2, 3]], 3)),
    "an ordered dict": (lambda: OrderedDict(a=yields()), OrderedDict(a=[0, 1, 2, 3])),
    "a default dict": (lambda: defaultdict(list, a=yields()), defaultdict(list, a=[0, 1, 2, 3])),
    "a subclass": (lambda: rows("file"), [[0, 1, 2, 3]]),
    "pairs": (lambda: [("a", yields())], [("a", [0, 1, 2, 3])]),
    "a data class": (lambda: Table("a", yields()), Table("a", [0, 1, 2, 3])),
    "a frozen data class": (lambda: Frozen(yields()), Frozen([0, 1, 2, 3])),
    "a data class in a data class": (lambda: Table("a", Frozen(yields())), Table("a", Frozen([0, 1, 2, 3]))),
    "data classes in a list": (lambda: [Frozen(iter("a")), Frozen(1)], [Frozen(["a"]), Frozen(1)]),
    "a list in a data class": (lambda: Frozen([iter("a"), 1]), Frozen([["a"], 1])),
    "one iterator twice": (lambda: [iter("ab")] * 2, [["a", "b"], ["a", "b"]]),
    "iterators of an iterator": (lambda: map(iter, ["ab", "c"]), [["a", "b"], ["c"]]),
    "groups": (lambda: itertools.groupby("aab"), [("a", ["a", "a"]), ("b", ["b"])]),
    "groups in a dict": (lambda: {"by": itertools.groupby("a")}, {"by": [("a", ["a"])]}),
    "a long list": (lambda: [iter("a") for _ in range(1000)], [["a"]] * 1000),
    "a long list of pairs": (lambda: [(1, iter("a")) for _ in range(1000)], [(1, ["a"])] * 1000),
    "a long deque": (lambda: deque(iter("a") for _ in range(1000)), deque([["a"]] * 1000)),
    "a long dict": (lambda: {n: iter("a") for n in range(1000)}, {n: ["a"] for n in range(1000)}),
    "the end of a long list": (lambda: [*range(1000), iter("a")], [*range(1000), ["a"]]),
}


@pytest.mark.parametrize("kind", LISTED)
def test_iterators_in_collections_are_lists_to_every_reader(kind: str) -> None:
    make, expected = LISTED[kind]
    with Flow("f") as flow:
        given = task(make, name="given")()
        one, other = (task(lambda x: repr(x), name=name)(given) for name in "ab")
    state = flow.run(progress=False)
    assert state is not None
    assert state.result[given].result == expected
    assert type(state.result[given].result) is (Rows if kind == "a subclass" else type(expected))
    assert state.result[one].result == state.result[other].result == repr(expected)


@pytest.mark.parametrize("kind", LISTED)
def test_an_iterator_given_to_two_tasks_is_the_same_list_to_both(kind: str) -> None:
    make, expected = LISTED[kind]
    with Flow("f") as flow:
        value = make()
        one, other = (task(lambda x: repr(x), name=name)(value) for name in "ab")
        items = [task(lambda x: repr(x), name=name)([value, "x"]) for name in "cd"]
    for _ in range(2):
        state = flow.run(progress=False)
        assert state is not None
        assert [state.result[one].result, state.result[other].result] == [repr(expected)] * 2
        if kind not in ("a long list of pairs",):
            assert [state.result[item].result for item in items] == [repr([expected, "x"])] * 2


def test_one_iterator_for_two_parameters_is_the_same_list_to_both() -> None:
    with Flow("f") as flow:
        one, other = Parameter("one"), Parameter("other")
    items = iter("ab")
    state = flow.run(parameters={"one": [items], "other": items}, progress=False)
    assert state is not None
    assert (state.result[one].result, state.result[other].result) == ([["a", "b"]], ["a", "b"])


def test_what_cannot_be_listed_leaves_the_iterator_beside_it_alone() -> None:
    with Path(__file__).open(encoding="utf-8") as file:
        value = [iter("ab"), file]
        with Flow("f") as flow:
            one, other = (task(lambda x: x[0], name=name)(value) for name in "ab")
        state = flow.run(progress=False)
    assert state is not None
    assert state.result[one].result == state.result[other].result == ["a", "b"]


def test_a_collection_with_lists_keeps_what_it_holds_besides_its_items() -> None:
    assert iterators.listed(rows("file")).source == "file"
    assert iterators.listed(defaultdict(list, a=iter("a")))["b"] == []
    assert iterators.listed(deque([iter("a")], 3)).maxlen == 3


@pytest.mark.parametrize(
    "value",
    [
        [1, [2]],
        (1, (2,)),
        {1: {2: 3}},
        Row("a", [1]),
        Table("a", [1]),
        {1},
        deque([1]),
        list(range(1000)),
        {1: "a"}.keys(),
    ],
    ids=repr,
)
def test_a_collection_without_iterators_is_itself(value: Any) -> None:
    assert iterators.listed(value) is value


class Once:
    """An iterator that is not only its items."""

    def __iter__(self) -> Once:
        return self

    def __next__(self) -> int:
        raise StopIteration


ONE_SHOT: dict[str, Callable[[], Any]] = {
    "TextIOWrapper": partial(Path(__file__).open, encoding="utf-8"),
    "reader": lambda: csv.reader(["a,b"]),
    "Cursor": lambda: sqlite3.connect(":memory:").execute("select 1"),
    "Once": Once,
    "count": itertools.count,
    "cycle": lambda: itertools.cycle([1]),
    "_grouper": lambda: [group for _, group in itertools.groupby("aab")],
    "list_iterator": lambda: {iter([1])},
    "tuple_iterator": lambda: frozenset({(1, iter((1,)))}),
    "set_iterator": lambda: {iter({1}): 1},
    "generator": lambda: MappingProxyType({"a": yields()}),
    "map": lambda: [{"a": {map(str, [1])}}],
}


@pytest.mark.parametrize("name", ONE_SHOT)
@pytest.mark.parametrize("by_signal", [False, True])
def test_what_can_be_read_only_once_fails_its_task(name: str, by_signal: bool) -> None:
    opened = []

    def give() -> Any:
        opened.append(ONE_SHOT[name]())
        if by_signal:
            raise signals.SUCCESS(result=opened[0])
        return opened[0]

    with Flow("f") as flow:
        given = task(give)()
        total(given)
    state = flow.run(progress=False)
    for one in opened:
        getattr(one, "close", int)()
    assert state is not None
    assert isinstance(state.result[given], states.Failed)
    assert state.result[given].message == (
        f"The task's result can't be used: A value of type {name} can be read only once, so it can't be shared by tasks; "
        "use a list of its items instead, or the path of its file."
    )


def test_a_resource_may_be_read_once() -> None:
    @resource_manager
    class Lines:
        def setup(self) -> Any:
            return iter("ab")

        def cleanup(self, resource: Any) -> None:
            assert next(resource, None) is None

    with Flow("f") as flow, Lines() as lines:
        read = task(lambda x: list(x), name="all")(lines)
    state = flow.run(progress=False)
    assert isinstance(state, states.Success)
    assert state.result[read].result == ["a", "b"]
