"""A checked value stays a value: it can be read any number of times, numpy's numbers are numbers, and JSON never loses a NaN."""

from __future__ import annotations

import itertools
import math
import pickle
import sys
import typing
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Set
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, Required, TypedDict, get_origin

import numpy
import pytest
from graphql import GraphQLError
from pydantic import BaseModel, Field

from appliance import Flow, Parameter, ThreadExecutor, exponential_backoff, task, unmapped
from appliance.client import wire
from appliance.client.errors import ClientError
from appliance.core import parameter_types, pickles
from appliance.core.errors import ParameterTypeError
from appliance.core.parameter import NO_DEFAULT
from appliance.engine.tracked import events
from appliance.kit.json_numbers import not_finite
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.server.graphql.scalars import JSON, SCALARS
from tests.ids import stable_id


class Model(BaseModel):
    values: Iterable[int]


@dataclass
class Record:
    values: Iterable[int]
    day: date | None = None


def resolved(hint: Any, value: Any, default: Any = NO_DEFAULT) -> Any:
    with Flow("f") as flow:
        Parameter("p", type=hint, default=default)
    return parameter_types.resolve(flow, {"p": value})["p"]


@pytest.mark.parametrize(
    ("hint", "value", "becomes"),
    [
        (Iterable[int], [1, 2], [1, 2]),
        (Iterable[int], (1, 2), (1, 2)),
        (Iterable[int], range(2), range(2)),
        (Iterable[int], deque([1]), deque([1])),
        (Iterable[int], {1}, {1}),
        (Iterable[int], (number for number in (1, 2)), [1, 2]),
        (Iterable[int], [numpy.int64(1)], [1]),
        (Iterable[float], [1], [1.0]),
        (Iterable[date], ["2026-01-31"], [date(2026, 1, 31)]),
        (Iterable, [1, "a"], [1, "a"]),
        (Generator[int, None, None], [1], [1]),
        (Iterator[int], iter([1]), [1]),
        (Iterable[int] | None, [1], [1]),
        (dict[str, Iterable[int]], {"a": [1]}, {"a": [1]}),
        (list[Iterable[int]], [[1], [2]], [[1], [2]]),
        (tuple[Iterable[int], ...], ([1],), ([1],)),
        (Any, map(str, [1]), ["1"]),
        (Any, {"a": zip([1], [2], strict=True)}, {"a": [(1, 2)]}),
    ],
    ids=stable_id,
)
def test_what_is_given_for_an_iterable_can_be_read_again(hint: Any, value: Any, becomes: Any) -> None:
    found = resolved(hint, value)
    assert type(found) is type(becomes)
    assert found == becomes


class Tree(BaseModel):
    values: Iterable[int] = ()
    children: list[Tree] = []


class Typed(TypedDict):
    values: Iterable[int]


class Pair(NamedTuple):
    values: Iterable[int]


class Count(NamedTuple):
    number: int


def test_every_other_type_with_fields_is_searched() -> None:
    tree = resolved(Tree, {"values": [1], "children": [{"values": [2]}]})
    assert (tree.values, tree.children[0].values) == ([1], [2])
    assert resolved(list[Typed], [{"values": [1]}]) == [{"values": [1]}]
    assert resolved(Pair, [[1]]) == Pair([1])


class Base(TypedDict):
    name: str


class Order(Base, total=False):
    size: Annotated[int, Field(gt=0)]
    parts: list[Base]
    code: Required[Literal["x", "y"]]
    note: NotRequired[str | None]


@dataclass
class Holds:
    order: Base


ORDER = {"name": "a", "code": "x"}


@pytest.mark.parametrize("hint", [Order, Order | None, list[Order], Annotated[Order, "meta"], dict[str, Order]])
@pytest.mark.parametrize(
    ("value", "says"),
    [
        (ORDER | {"size": 1, "parts": [{"name": "b"}], "note": None}, None),
        (ORDER, None),
        ({"code": "x"}, "name': is required"),
        ({"name": "a"}, "code': is required"),
        (ORDER | {"size": 0}, "size': must be greater than 0"),
        (ORDER | {"parts": [{"name": 1}]}, "name': must be a valid string"),
    ],
)
def test_typed_dicts_are_checked_on_every_python(hint: Any, value: Any, says: str | None) -> None:
    value = {"list": [value], "dict": {"k": value}}.get(getattr(get_origin(hint), "__name__", ""), value)
    if says is None:
        assert resolved(hint, value) == value
    else:
        with pytest.raises(ParameterTypeError, match=says):
            resolved(hint, value)


def test_the_server_gets_the_fields_of_a_typed_dict() -> None:
    with Flow("f") as flow:
        parameter = Parameter("p", type=Order)
    document = parameter_types.schema(flow, parameter)
    assert document["required"] == ["name", "code"]
    assert document["properties"]["size"] == {"exclusiveMinimum": 0, "title": "Size", "type": "integer"}


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="pydantic reads them all")
def test_a_typed_dict_that_cannot_be_checked_is_refused_with_what_to_write() -> None:
    with pytest.raises(
        ParameterTypeError, match=r"Holds.* contains a TypedDict .* typing_extensions\.TypedDict instead"
    ):
        resolved(Holds, {"order": {"name": "a"}})


@pytest.mark.parametrize("value", ["a\0b", ["\0"], {"k": ("\0",)}, {"\0": 1}, [[{"a": {"\0"}}]]], ids=repr)
def test_a_nul_character_is_refused_as_the_server_refuses_it(value: Any) -> None:
    sentence = "'p' contains a NUL character, which the server can't store; remove it."
    with pytest.raises(ParameterTypeError, match=f"^Parameter {sentence}"):
        resolved(Any, value)
    with pytest.raises(ParameterTypeError, match=f"^Default of parameter {sentence}"), Flow("f") as flow:
        Parameter("p", default=value)
    with Flow("f") as flow:
        Parameter("p", default=1)
    with pytest.raises(ParameterTypeError, match=sentence):
        parameter_types.json_values(flow, {"p": value})


@pytest.mark.parametrize("hint", [Model, Record])
def test_fields_of_models_can_be_read_again(hint: Any) -> None:
    found = resolved(hint, {"values": [1, 2]})
    assert (list(found.values), list(found.values)) == ([1, 2], [1, 2])
    assert [list(one.values) for one in resolved(list[hint], [{"values": [1]}])] == [[1]]


@pytest.mark.parametrize(
    ("hint", "value", "says"),
    [
        (Iterable[int], ["a"], r"'p\[0\]': must be a valid integer, got 'a'"),
        (Iterable[str], "text", "'p': must be a valid array"),
        (Model, {"values": [1, "a"]}, r"'p.values\[1\]': must be a valid integer"),
        (Iterable[int], itertools.count(), "count can be read only once"),
        (Any, Path(__file__).open, None),
    ],
)
def test_what_does_not_fit_is_refused_before_the_run(hint: Any, value: Any, says: str | None) -> None:
    with pytest.raises(ParameterTypeError, match=says or "TextIOWrapper can be read only once"):
        if says is None:
            with value() as file:
                resolved(hint, file)
        resolved(hint, value)


def test_a_default_that_can_be_read_once_is_a_list_in_every_run() -> None:
    @task
    def total(values: Any) -> int:
        return sum(values)

    with Flow("f") as flow:
        default, constant = total(Parameter("p", default=iter([1, 2]))), total(iter([3, 4]))
    for _ in range(2):
        state = flow.run()
        assert state is not None
        assert (state.result[default].result, state.result[constant].result) == (3, 7)


@pytest.mark.parametrize("make", [lambda: iter([1, 2]), lambda: map(int, "12"), lambda: (number for number in (1, 2))])
def test_an_iterator_that_is_given_to_several_tasks_is_one_list(make: Any) -> None:
    @task
    def total(values: Any, more: Any = 0) -> int:
        return sum(values)

    @task
    def more(one: int, values: Any) -> int:
        return one + sum(values)

    shared = make()
    with Flow("f") as flow:
        totals = [total(shared), total(values=shared, more=shared)]
        mapped = [more.map([0, 1], unmapped(shared)), more.map(shared, unmapped(shared))]
    copied = pickle.loads(pickles.dumps(flow))
    assert copied.name == "f", "a flow can be saved, whatever it was given"
    for _ in range(2):
        state = flow.run(progress=False)
        assert state is not None
        assert [state.result[one].result for one in (*totals, *mapped)] == [3, 3, [3, 4], [4, 5]]


@pytest.mark.parametrize(
    ("hint", "value", "becomes"),
    [
        (int, numpy.int64(3), 3),
        (int, numpy.uint8(3), 3),
        (int, numpy.float64(3), 3),
        (float, numpy.float32(1.5), 1.5),
        (float, numpy.int64(3), 3.0),
        (bool, numpy.bool_(True), True),
        (str, numpy.str_("a"), "a"),
        (list[int], [numpy.int64(1)], [1]),
        (dict[str, int], {numpy.str_("a"): numpy.int8(1)}, {"a": 1}),
        (int | None, numpy.int16(1), 1),
        (set[int], {numpy.int64(1)}, {1}),
        (set[int] | None, {numpy.int64(1)}, {1}),
        (frozenset[int], frozenset({numpy.int64(1)}), frozenset({1})),
        (deque[int], deque([numpy.int64(1)], 3), deque([1], 3)),
        (tuple[int, ...], (numpy.int64(1),), (1,)),
        (dict[str, set[int]], {"a": {numpy.int64(1)}}, {"a": {1}}),
        (Count, Count(numpy.int64(1)), Count(1)),
        (list[Count], [Count(numpy.int64(1))], [Count(1)]),
    ],
)
def test_numbers_of_numpy_are_numbers(hint: Any, value: Any, becomes: Any) -> None:
    found = resolved(hint, value)
    assert repr(found) == repr(becomes)


@pytest.mark.parametrize("hint", [Set[int], typing.AbstractSet[int], frozenset[int], Set[int] | None])
@pytest.mark.parametrize(
    "value", [{1, 2}, frozenset({1, 2}), {1: "a", 2: "b"}.keys(), {numpy.int64(1), 2}, [1, 2]], ids=stable_id
)
def test_every_set_is_a_set(hint: Any, value: Any) -> None:
    assert repr(resolved(hint, value)) == "frozenset({1, 2})"


@pytest.mark.parametrize("hint", [frozenset[int] | set[int], set[int] | frozenset[int]])
def test_a_set_stays_what_it_is_where_it_may(hint: Any) -> None:
    assert repr(resolved(hint, {1})) == "{1}"
    assert repr(resolved(hint, frozenset({1}))) == "frozenset({1})"


def test_what_is_no_set_of_the_right_items_is_refused() -> None:
    for value in ({"a"}, {"1"}, {True}, "a", {1.5}, 1):
        with pytest.raises(ParameterTypeError):
            resolved(Set[int], value)


@pytest.mark.parametrize(
    ("hint", "value"), [(int, numpy.float64(3.5)), (int, numpy.bool_(True)), (bool, numpy.int64(1))]
)
def test_other_numbers_of_numpy_are_refused_like_pythons(hint: Any, value: Any) -> None:
    with pytest.raises(ParameterTypeError):
        resolved(hint, value)


def test_options_take_numbers_of_numpy() -> None:
    two, half = numpy.int64(2), numpy.float32(0.5)
    made = task(lambda: 1, nout=two, max_retries=two, retry_delay=two, retry_jitter=half, timeout=half, name="t")
    assert (made.nout, made.max_retries, made.retry_jitter, made.timeout) == (2, 2, 0.5, 0.5)
    assert all(type(value) in (int, float) for value in (made.nout, made.max_retries, made.retry_jitter, made.timeout))
    assert exponential_backoff(two, factor=two).after(2).total_seconds() == 4
    assert ThreadExecutor(two).max_workers == 2  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, numpy.float64("nan")])
@pytest.mark.parametrize("shape", [lambda x: x, lambda x: [1, x], lambda x: {"a": {"b": (x,)}}])
def test_json_never_turns_a_number_into_null(number: float, shape: Any) -> None:
    value = shape(number)
    assert not_finite(value) is not None
    with pytest.raises(ClientError, match="JSON can't hold the number"):
        wire.encode(CreateFlowRun(flow="f", parameters={"p": value}))
    with Flow("f") as flow:
        parameter = Parameter("p", default=value, type=Any)
    with pytest.raises(ParameterTypeError, match="can't be written as JSON"):
        parameter_types.json_default(flow, parameter)
    assert resolved(Any, value) is not None, "and a local run takes it as it is"
    assert flow.run() is not None


def test_requests_take_numbers_of_numpy() -> None:
    request = CreateFlowRun(flow="f", parameters={"n": numpy.int64(3), "x": [numpy.float64(1.5), numpy.str_("a")]})
    assert b'{"n":3,"x":[1.5,"a"]}' in wire.encode(request)
    with Flow("f") as flow:
        parameter = Parameter("p", default={"n": numpy.int64(3)})
    assert parameter_types.json_default(flow, parameter) == {"n": 3}
    with pytest.raises(TypeError, match="can't hold a value of type object"):
        wire.encode({"x": object()})


def test_details_of_a_state_keep_nan_as_text() -> None:
    from appliance.core.states import Success
    from appliance.kit import clock

    event = events.event((Success(data={"loss": math.nan, "n": 1}), clock.now()))
    assert event.data == {"loss": "nan", "n": 1}  # type: ignore[union-attr]


@pytest.mark.parametrize("document", [math.inf, {"a": [math.nan]}])
def test_graphql_refuses_literals_that_json_can_not_hold(document: Any) -> None:
    parse = SCALARS[JSON].parse_value
    assert parse is not None
    with pytest.raises(GraphQLError, match="can't hold NaN or infinity"):
        parse(document)
    assert parse({"a": [1.5, None, "nan"]}) == {"a": [1.5, None, "nan"]}
