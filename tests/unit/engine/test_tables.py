"""Arrays and tables in flows: dealt out by position, compared as wholes, and never asked whether they are true."""

from __future__ import annotations

import array
from collections import OrderedDict, UserList, deque
from dataclasses import dataclass
from typing import Any

import numpy
import pandas
import pytest

from appliance import Flow, ThreadExecutor, apply_map, case, flatten, ifelse, merge, switch, task
from appliance.core import states
from appliance.core.comparisons import is_equal

FRAME = pandas.DataFrame({"a": [1, 2]})
ARRAY = numpy.array([1, 2])


@task
def give(value: Any) -> Any:
    return value


def outcome(flow: Flow, *tasks: Any) -> Any:
    state = flow.run(progress=False)
    assert isinstance(state, states.State)
    return [state.result[one] for one in tasks]


class Indexed:
    """A container of a user without a way to iterate."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> int:
        return [0, 10][index]


class Labelled(Indexed):
    """A container whose index is not a position."""

    def __iter__(self) -> Any:
        return iter([7, 8])

    def __getitem__(self, index: int) -> int:
        raise KeyError(index)


IN_ORDER: dict[str, tuple[Any, list[Any]]] = {
    "sorted series": (pandas.Series([3, 1, 2]).sort_values(), [1, 2, 3]),
    "series with labels": (pandas.Series([1, 2], index=["x", "y"]), [1, 2]),
    "series with reversed numbers": (pandas.Series([1, 2], index=[1, 0]), [1, 2]),
    "series with repeated labels": (pandas.Series([1, 2], index=[0, 0]), [1, 2]),
    "filtered series": (pandas.Series([1, 2, 3])[lambda s: s > 1], [2, 3]),
    "index": (pandas.Index([2, 1]), [2, 1]),
    "categories": (pandas.Categorical(["b", "a"]), ["b", "a"]),
    "array": (ARRAY, [1, 2]),
    "deque": (deque([1, 2]), [1, 2]),
    "typed array": (array.array("i", [1, 2]), [1, 2]),
    "list of a user": (UserList([1, 2]), [1, 2]),
    "container without iteration": (Indexed(), [0, 10]),
    "container with labels": (Labelled(), [7, 8]),
    "range": (range(2), [0, 1]),
    "text": ("ab", ["a", "b"]),
}


@pytest.mark.parametrize("kind", IN_ORDER)
def test_children_get_elements_by_position(kind: str) -> None:
    value, expected = IN_ORDER[kind]
    with Flow("f") as flow:
        source = give(value)
        mapped, applied = give.map(source), apply_map(give, source)
        flat = give.map(flatten(task(lambda: [value], name="nested")()))
        constant = give.map(value)
    for executor in (None, ThreadExecutor(2)):
        state = flow.run(executor=executor, progress=False)
        assert state is not None
        for one in (mapped, applied, flat, constant):
            assert list(state.result[one].result) == expected


def test_an_index_that_a_user_writes_means_what_it_means_to_the_container() -> None:
    with Flow("f") as flow:
        ranked = give(pandas.Series([3, 1, 2], index=["x", "y", "z"]).sort_values())
        labelled, column = ranked["x"], give(FRAME)["a"]
    found = outcome(flow, labelled, column)
    assert found[0].result == 3
    assert list(found[1].result) == [1, 2]


@pytest.mark.parametrize(
    "value", [FRAME, pandas.DataFrame(), OrderedDict(a=1), {"a": 1}], ids=lambda v: type(v).__name__
)
def test_what_has_rows_and_columns_or_keys_is_not_dealt_out(value: Any) -> None:
    with Flow("f") as flow:
        mapped = give.map(give(value))
    (state,) = outcome(flow, mapped)
    assert isinstance(state, states.Failed)
    wanted = 'return its rows, such as frame.to_dict("records")' if value is FRAME else "return "
    assert f"returned {type(value).__name__}; {wanted}" in str(state.message)


@dataclass
class Holder:
    frame: Any


class Lazy:
    """Compares like the frames of some libraries: `==` gives another one, which is neither true nor false."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, content: int = 1) -> None:
        self.content = content

    def __eq__(self, other: object) -> Any:
        return Lazy()

    def __bool__(self) -> bool:
        raise TypeError("ambiguous")


class Subclass(list[Any]):
    pass


UNDECIDED: list[tuple[Any, Any, bool]] = [
    *((pandas.NA, 1, False), (1, pandas.NA, False), (pandas.NA, "a", False), (pandas.NA, True, False)),
    *((Lazy(), 1, False), ("full", Lazy(), False), (Lazy(), Lazy(), True), (Lazy(1), Lazy(2), False), (Lazy(), pandas.NA, False)),
    *(([pandas.NA], [1], False), ([pandas.NA], [pandas.NA], True), ((1, Lazy()), (1, 2), False), ({"k": Lazy()}, {"k": Lazy()}, True)),
    *((Holder(pandas.NA), Holder(1), False), ({"k": pandas.NA}, OrderedDict(k=1), False), (Subclass([pandas.NA]), [1], False)),
]  # fmt: skip
"""Values whose `==` gives something that is neither true nor false."""

COMPARED: list[tuple[Any, Any, bool]] = [
    *((FRAME, None, False), (FRAME, FRAME.copy(), True), (FRAME, FRAME + 1, False), (FRAME, FRAME.iloc[:1], False)),
    *((FRAME, 1, False), (FRAME, "a", False), (FRAME, [1, 2], False), (FRAME, ARRAY, False), (None, FRAME, False)),
    *((ARRAY, ARRAY.copy(), True), (ARRAY, 1, False), (ARRAY, [1, 2], False), (ARRAY, numpy.array([1, 3]), False)),
    *((numpy.array([]), numpy.array([]), True), (FRAME["a"], FRAME["a"].copy(), True), (FRAME["a"], 1, False)),
    *(([FRAME], [FRAME.copy()], True), ([FRAME], [FRAME + 1], False), ({"f": ARRAY}, {"f": ARRAY.copy()}, True)),
    *((Holder(FRAME), Holder(FRAME.copy()), True), (Holder(FRAME), Holder(FRAME + 1), False), ([FRAME], None, False)),
    *((numpy.int64(1), 1, True), (numpy.bool_(True), True, True), (numpy.float64(1.5), 1.5, True), (numpy.int64(1), 2, False)),
    *((1, 1.0, True), (1, True, True), ("a", "a", True), ("a", "b", False), (None, None, True), (0, None, False)),
    *((pandas.NA, None, False), (pandas.NA, pandas.NA, True), (pandas.Timestamp("2026-01-31"), pandas.Timestamp("2026-01-31"), True)),
    *UNDECIDED,
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected", "equal"), COMPARED)
def test_values_are_compared_as_wholes(value: Any, expected: Any, equal: bool) -> None:
    assert is_equal(value, expected) is equal
    with Flow("f") as flow:
        source = give(value)
        with case(source, expected):
            other = task(lambda: "taken", name="other")()
        merged = merge(other, task(lambda: "instead", name="instead")())
    taken, result = outcome(flow, other, merged)
    assert isinstance(taken, states.Success)
    assert taken.is_skipped() is not equal
    assert result.result == ("taken" if equal else "instead")


@pytest.mark.parametrize("value", [FRAME, ARRAY, FRAME["a"], pandas.Index([1, 2])], ids=lambda v: type(v).__name__)
def test_no_branch_asks_a_table_for_its_truth(value: Any) -> None:
    with Flow("f") as flow:
        source = give(value)
        switched = give(1)
        switch(source, {"a": switched})
        with case(source, None):
            skipped = give(2)
        merged = merge(skipped, source)
        decided = [give(3), give(4)]
        ifelse(source, *decided)
        negated, both, either = source.not_(), source & 1, source.or_(1)
    state = flow.run(progress=False)
    assert state is not None
    assert state.result[switched].is_skipped() and state.result[skipped].is_skipped()
    assert type(state.result[merged].result) is type(value)
    for one in (negated, both, either):
        assert (
            f"A value of type {type(value).__name__} is neither true nor false; decide in a task"
            in state.result[one].message
        )


def test_a_branch_that_is_not_taken_says_so_in_a_short_sentence() -> None:
    with Flow("f") as flow, case(give(pandas.DataFrame({"secret": ["x" * 1000]})), None):
        skipped = give(1)
    upstream = flow.upstream_tasks(skipped)[0]
    assert outcome(flow, upstream)[0].message == "Provided value of type DataFrame did not match 'None'."
