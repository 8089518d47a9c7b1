"""Fingerprints and validators: the same content is found again in every process, another content never."""

from __future__ import annotations

import subprocess
import sys
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from typing import Any

import msgspec
import numpy
import pandas
import pydantic
import pytest

from appliance.core.cache_validators import (
    NotComparable,
    Record,
    all_inputs,
    all_parameters,
    duration_only,
    holds,
    lookup,
    never_use,
    partial_inputs_only,
    partial_parameters_only,
)
from appliance.core.fingerprints import fingerprint
from tests.unit.core.test_results_templates import Awkward

NOW = datetime(2026, 1, 31, tzinfo=UTC)


@dataclass
class Point:
    x: int
    y: list[int] = field(default_factory=list)


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    n: int


class Struct(msgspec.Struct):
    n: int


class Colour(Enum):
    RED = 1
    BLUE = 2


class Plain:
    def __init__(self, n: int) -> None:
        self.n = n


DIFFERENT: list[Any] = [
    *(None, True, False, 1, 0, 1.0, 0.0, -0.0, float("nan"), 1 + 0j, "", "1", b"", b"1", bytearray(b"1"), Decimal("1"), Decimal("1.0")),
    *([], (), {}, set(), frozenset(), [1], (1,), {1}, {"a": 1}, {"a": "1"}, {1: "a"}, [[1], 2], [1, [2]], [1, 2], [2, 1], ["ab", "c"], ["a", "bc"]),
    *(date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC), timedelta(1), uuid.UUID(int=1), range(3), PurePosixPath("a"), PurePosixPath("b")),
    *(Point(1), Point(2), Point(1, [1]), Model(n=1), Model(n=2), Model(n=1, m=2), Struct(1), Struct(2), Colour.RED, Colour.BLUE, Plain(1), Plain(2)),
    *(numpy.array([1, 2]), numpy.array([2, 1]), numpy.array([[1, 2]]), numpy.array([1.0, 2.0]), numpy.array([1, 2], dtype="int8")),
    *(numpy.float64(1), numpy.int64(1), numpy.array(["a", None], dtype=object), numpy.array([1, 2], dtype=">i8")),
    *(pandas.DataFrame({"a": [1]}), pandas.DataFrame({"b": [1]}), pandas.DataFrame({"a": [2]}), pandas.DataFrame({"a": ["1"]})),
    *(pandas.DataFrame({"a": [1]}, index=[5]), pandas.Series([1]), pandas.Series([1], name="s"), pandas.Series([1.0]), pandas.Series(["a", None])),
    *(pandas.Series(pandas.to_datetime(["2026-01-01"])), pandas.Series(["a", "b"], dtype="category"), pandas.Timestamp("2026-01-01")),
    *(len, print, OrderedDict(a=1), ValueError("a"), ValueError("b"), "\ud800", "é", "e\u0301"),
]  # fmt: skip


def test_different_contents_have_different_fingerprints() -> None:
    found = [fingerprint(value) for value in DIFFERENT]
    assert None not in found
    assert len(set(found)) == len(found)


def test_order_that_means_nothing_changes_nothing() -> None:
    assert fingerprint({"a": 1, "b": {2, 3}}) == fingerprint({"b": {3, 2}, "a": 1})
    assert fingerprint(numpy.arange(6).reshape(2, 3)) == fingerprint(
        numpy.asfortranarray(numpy.arange(6).reshape(2, 3))
    )
    assert fingerprint(float("nan")) == fingerprint(float("nan"))


def test_fingerprints_are_the_same_in_another_process() -> None:
    code = (
        "from tests.unit.core.test_results_caching import *\n"
        "print(fingerprint([{'a', 'b', 'c'}, {'x': 1.5, 'y': None}, Point(1), Colour.RED, numpy.arange(3),"
        " pandas.DataFrame({'a': ['x', None]}), Model(n=1), Struct(2), print]))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def looped() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def generated() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize("make", [Awkward, looped, generated, threading.Lock, lambda: [Awkward()]])
def test_what_has_no_content_has_no_fingerprint(make: Any) -> None:
    assert fingerprint(make()) is None


def test_attributes_beside_the_fields_count() -> None:
    point = Point(1)
    point.z = 3  # type: ignore[attr-defined]
    assert fingerprint(point) != fingerprint(Point(1))


def name(
    validator: Any, inputs: dict[str, Any], parameters: dict[str, Any] | None = None, index: int = -1, key: str = "k"
) -> str:
    return lookup(validator, (key,), index, inputs, parameters or {}).name


def test_each_validator_looks_at_its_own_values() -> None:
    one, two = {"x": 1, "y": 1}, {"x": 1, "y": 2}
    assert name(duration_only, one) == name(duration_only, two)
    assert name(all_inputs, one) != name(all_inputs, two)
    assert name(all_inputs, one) == name(all_inputs, dict(reversed(one.items())))
    assert name(partial_inputs_only(["x"]), one) == name(partial_inputs_only("x"), two)
    assert name(partial_inputs_only(["y"]), one) != name(partial_inputs_only(["y"]), two)
    assert name(all_inputs, one, one) == name(all_inputs, one, two)
    assert name(all_parameters, one, one) != name(all_parameters, one, two)
    assert name(partial_parameters_only(["x"]), one, one) == name(partial_parameters_only(["x"]), two, two)
    assert name(duration_only, one) != name(duration_only, one, key="other")


def test_children_of_a_mapped_task_share_only_what_is_compared() -> None:
    assert name(duration_only, {"x": 1}, index=0) != name(duration_only, {"x": 1}, index=1)
    assert name(all_inputs, {"x": 1}, index=0) == name(all_inputs, {"x": 1}, index=1)
    assert name(lambda *_: True, {"x": 1}, index=0) != name(lambda *_: True, {"x": 1}, index=1)


def test_what_can_not_be_compared_is_named() -> None:
    with pytest.raises(NotComparable, match="input 'x' of type generator can't be compared"):
        name(all_inputs, {"x": generated()})
    with pytest.raises(NotComparable, match="there is no input 'z' \\(known: x\\)"):
        name(partial_inputs_only(["z"]), {"x": 1})
    name(duration_only, {"x": generated()})  # nobody asked for its content


@pytest.mark.parametrize("names", [[], [1]])
def test_a_partial_validator_needs_names(names: Any) -> None:
    with pytest.raises(ValueError, match="validate_on must be a list of at least one name"):
        partial_inputs_only(names)


def record(inputs: dict[str, Any], parameters: dict[str, Any]) -> Record:
    def hashed(values: dict[str, Any]) -> dict[str, str]:
        return {key: str(fingerprint(value)) for key, value in values.items()}

    return Record(NOW, NOW + timedelta(hours=1), "l", "s", hashed(inputs), hashed(parameters))


@pytest.mark.parametrize(
    ("validator", "inputs", "parameters", "expected"),
    [
        (duration_only, {"x": 2}, {"p": 2}, True),
        (never_use, {"x": 1}, {"p": 1}, False),
        (all_inputs, {"x": 1}, {"p": 2}, True),
        (all_inputs, {"x": 2}, {"p": 1}, False),
        (all_inputs, {"x": 1, "y": 1}, {"p": 1}, False),
        (all_inputs, {}, {"p": 1}, False),
        (all_parameters, {"x": 2}, {"p": 1}, True),
        (all_parameters, {"x": 1}, {"p": 2}, False),
        (partial_inputs_only(["x"]), {"x": 1, "z": 9}, {}, True),
        (partial_parameters_only(["p"]), {}, {"p": 1, "q": 1}, True),
        (partial_parameters_only(["p"]), {}, {"q": 1}, False),
        (lambda state, inputs, parameters: inputs["x"] == 2 and len(state.hashed_inputs) == 1, {"x": 2}, {}, True),
    ],
)
def test_validators(validator: Any, inputs: dict[str, Any], parameters: dict[str, Any], expected: bool) -> None:
    assert holds(record({"x": 1}, {"p": 1}), validator, NOW, inputs, parameters) is expected


def test_nothing_holds_for_longer_than_it_should() -> None:
    for late, expected in ((timedelta(minutes=59), True), (timedelta(hours=1), False)):
        assert holds(record({}, {}), lambda *_: True, NOW + late, {}, {}) is expected
