"""Different contents of arrays and tables never share a fingerprint, and equal ones do, however they were made."""

from __future__ import annotations

import functools
import pickle
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from enum import Enum, Flag, IntEnum
from pathlib import PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

import numpy
import pandas
import pytest

from appliance.core.fingerprints import fingerprint

NAN = float("nan")
Frame, Series, Index, Categorical = pandas.DataFrame, pandas.Series, pandas.Index, pandas.Categorical


class Rows(Frame):
    """A frame with an attribute of its own."""

    _metadata = ["source"]

    @property
    def _constructor(self) -> Any:
        return Rows


def rows(source: str) -> Rows:
    made = Rows({"a": [1]})
    made.source = source
    return made


class Zone(tzinfo):
    """A zone whose text says nothing."""

    def __init__(self, hours: int) -> None:
        self.hours = hours

    def utcoffset(self, _at: datetime | None) -> timedelta:
        return timedelta(hours=self.hours)

    def __repr__(self) -> str:
        return "Zone"


@dataclass
class Named(list[int]):
    """A list with a field beside its items."""

    name: str


class Slotted:
    __slots__ = ("hidden",)


@dataclass
class Point(Slotted):
    x: Any


def named(items: list[int]) -> Named:
    made = Named("n")
    made.extend(items)
    return made


def point(hidden: int) -> Point:
    made = Point(1)
    made.hidden = hidden
    return made


def closure(n: int) -> Any:
    return lambda: n


class Level(Enum):
    LOW = 1


class Other(IntEnum):
    LOW = 1


class Bits(Flag):
    A = 1
    B = 2


def attributed(**attributes: Any) -> Frame:
    made = Frame({"a": [1]})
    made.attrs.update(attributes)
    return made


def structured(*values: tuple[int, float], align: bool = False) -> Any:
    return numpy.array(list(values), dtype=numpy.dtype([("a", "i1"), ("b", "f8")], align=align))


at = pandas.to_datetime(["2026-01-31 06:30"])

DIFFERENT: dict[str, list[Any]] = {
    "categories": [
        Series(Categorical(["low", "high"], categories=categories, ordered=ordered))
        for categories in (["low", "high"], ["high", "low"], ["low", "high", "unused"])
        for ordered in (False, True)
    ],
    "categorical index": [
        pandas.CategoricalIndex(["a"], categories=categories, ordered=ordered)
        for categories in (["a"], ["a", "b"])
        for ordered in (False, True)
    ],
    "masks": [
        numpy.ma.array([1, 2], mask=mask) for mask in ([False, True], [True, False], [False, False], [True, True])
    ]
    + [numpy.ma.array([1, 2], mask=[False, True], fill_value=7), numpy.array([1, 2])],
    "missing values": [
        *(Series([1, None], dtype="Int64"), Series([1, 0], dtype="Int64"), Series([None, 1], dtype="Int64"), Series([1, NAN])),
        *(Series([True, None], dtype="boolean"), Series([True, False], dtype="boolean"), Series([True, False])),
        *(Series(["a", None], dtype=object), Series(["a", NAN], dtype=object), Series(["a", "NaN"], dtype=object)),
        *(Series(["a", None], dtype="string"), Series(["a", None], dtype="str"), Series(["a", None], dtype="category")),
        *(Series([pandas.NA, 1.0], dtype="Float64"), Series(pandas.arrays.FloatingArray(numpy.array([NAN, 1.0]), numpy.array([False, False])))),
    ],
    "attributes": [attributed(), attributed(unit="m"), attributed(unit="km"), rows("a"), rows("b")],
    "names": [
        *(Frame({"a": [1]}), Frame({"b": [1]}), Frame({1: [1]}), Frame({"1": [1]}), Frame({"a": [1]}, index=Index([0], name="i"))),
        *(Frame([[1]], columns=Index(["a"], name="c")), Series([1]), Series([1], name="a"), Series([1], name=0)),
        *(Frame([[1, 2]], columns=["a", "a"]), Frame([[2, 1]], columns=["a", "a"])),
    ],
    "index": [
        Series([1, 2], index=index)
        for index in (
            *([0, 1], [1, 0], [0.0, 1.0], ["0", "1"], pandas.MultiIndex.from_tuples([(0, 1), (1, 0)])),
            *(pandas.MultiIndex.from_tuples([(0, 1), (1, 0)], names=["a", "b"]), pandas.MultiIndex.from_tuples([(0, "1"), (1, "0")])),
            *(pandas.date_range("2026-01-31", periods=2), pandas.date_range("2026-01-31", periods=2, tz="UTC")),
            *(pandas.period_range("2026-01", periods=2, freq="M"), pandas.interval_range(0, 2), pandas.interval_range(0, 2, closed="left")),
        )
    ],
    "times": [
        *(Series(at), Series(at.tz_localize("UTC")), Series(at.tz_localize("Europe/Berlin")), Series(at.tz_localize("UTC").tz_convert("Europe/Berlin"))),
        *(Series(at.to_period("D")), Series(at - at), Series(at.astype("datetime64[s]")), Series(at.astype(object)), Series(at.asi8)),
        *(numpy.array(["2026-01-31"], dtype="M8[D]"), numpy.array(["2026-01-31"], dtype="M8[s]"), numpy.datetime64("2026-01-31")),
    ],
    "dtypes": [numpy.array([0, 1], dtype=dtype) for dtype in ("i1", "u1", "<i2", ">i2", "f4", "f8", "?", "c8", "O", "U1", "S1", "M8[s]", "m8[s]", "g")],
    "shapes": [numpy.arange(4), numpy.arange(4).reshape(2, 2), numpy.arange(4).reshape(2, 2).T, numpy.arange(4).reshape(4, 1), numpy.array(0)],
    "structured": [structured((1, 2.0)), structured((1, 3.0)), structured((2, 2.0)), structured((1, 2.0)).view(numpy.recarray), structured((1, 2.0))[0]],
    "objects in arrays": [numpy.array(items, dtype=object) for items in (["a", 1], ["a", "1"], ["a", True], ["a", 1.0], ["a", None])],
    "texts of numpy": [numpy.array(["a", "b"], dtype=numpy.dtypes.StringDType()), numpy.array(["a", "c"], dtype=numpy.dtypes.StringDType())],
    "sparse": [Series(pandas.arrays.SparseArray(items, fill_value=fill)) for items in ([0, 1], [1, 0]) for fill in (0, 1)],
    "numbers": [1, True, 1.0, 1 + 0j, "1", b"1", numpy.int64(1), numpy.int32(1), numpy.float64(1), numpy.bool_(True), Level.LOW, Other.LOW, Bits.A, Bits.A | Bits.B],
    "zeros and NaN": [0, 0.0, -0.0, NAN, None, pandas.NA, pandas.NaT, numpy.datetime64("NaT"), complex(0, -0.0), 0j],
    "large integers": [10**5000, 10**5000 + 1, -(10**5000)],
    "collections": [
        *([1], (1,), {1}, frozenset({1}), deque([1]), deque([1], 5), named([1]), named([2]), [[1]], [(1,)], {"a": 1}, Counter(a=1)),
        *(defaultdict(int, a=1), defaultdict(list, a=1), {"a": 1, "b": 2}, {"a": 2, "b": 1}, {1: "a"}, {"1": "a"}, {True: "b"}),
    ],
    "paths and text": ["a/b", b"a/b", PurePosixPath("a/b"), PurePosixPath("a/c")],
    "zones": [
        datetime(2026, 10, 25, 2, 30, tzinfo=zone, fold=fold)
        for zone in (ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/Paris"), timezone(timedelta(hours=2)), Zone(1), Zone(2), None)
        for fold in ((0, 1) if zone is not None else (0,))
    ],
    "fields that a class inherits": [point(1), point(2), Point(1)],
    "functions": [closure(1), closure(2), lambda: 3, lambda: 4, functools.partial(int, base=2), functools.partial(int, base=3)],
}  # fmt: skip


@pytest.mark.parametrize("kind", DIFFERENT)
def test_different_values_never_share(kind: str) -> None:
    prints = [fingerprint(value) for value in DIFFERENT[kind]]
    assert None not in prints
    shared = [(a, b) for a in range(len(prints)) for b in range(a) if prints[a] == prints[b]]
    assert not shared


def fortran(value: Any) -> Any:
    return numpy.asfortranarray(value)


EQUAL: dict[str, tuple[Any, Any]] = {
    "memory order": (numpy.arange(6).reshape(2, 3), fortran(numpy.arange(6).reshape(2, 3))),
    "a view and a copy": (numpy.arange(6)[::2], numpy.array([0, 2, 4])),
    "a read-only array": (numpy.arange(2), numpy.broadcast_to(numpy.arange(2), (2,))),
    "space between fields": (structured((1, 2.0), align=True), numpy.frombuffer(b"\1" + b"\xff" * 7 + structured((1, 2.0)).tobytes()[1:], dtype=structured(align=True).dtype)),
    "columns in blocks and alone": (Frame({"a": [1], "b": [2]}), Frame({"a": [1]}).assign(b=[2])),
    "a slice of a frame": (Frame({"a": [1, 2, 3]}).iloc[:2], Frame({"a": [1, 2]})),
    "a copy of a subclass": (rows("a"), rows("a").copy()),
    "masked integers": (Series([1, None], dtype="Int64"), Series([1, 2], dtype="Int64").where([True, False])),
    "strings": (Series(["a", None], dtype="str"), Series(["a", None], dtype="object").astype("str")),
    "sets": ({"a", "b", "c"}, {"c", "b", "a"}),
    "frozen sets": (frozenset("abc"), frozenset("cba")),
    "dicts": ({"a": 1, "b": {"x": 1, "y": 2}}, {"b": {"y": 2, "x": 1}, "a": 1}),
    "counters": (Counter("aab"), Counter("baa")),
    "default dicts": (defaultdict(int, a=1, b=2), defaultdict(int, b=2, a=1)),
    "NaN": (NAN, -NAN),
    "instants of a zone": (datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")), datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))),
    "foreign zones": (datetime(2026, 1, 1, tzinfo=Zone(1)), datetime(2026, 1, 1, tzinfo=Zone(1))),
    "times of pandas": (Series(pandas.date_range("2026-01-31", periods=2)), Series(pandas.to_datetime(["2026-01-31", "2026-02-01"]))),
    "functions": (functools.partial(int, base=2), functools.partial(int, base=2)),
}  # fmt: skip


@pytest.mark.parametrize("kind", EQUAL)
def test_equal_values_share(kind: str) -> None:
    one, other = EQUAL[kind]
    assert fingerprint(one) == fingerprint(other) is not None


PICKLED: dict[str, Any] = {
    "a frame": Frame({"a": [1]}),
    "a frame that was read": Frame({"a": [1], "b": ["x"]}).query("a == 1"),
    "a frame with attributes": attributed(unit="m"),
    "a subclass": rows("a"),
    "a series": Series([1]),
    "a series with a name": Series([1], name="a"),
    "a column": Frame({"a": [1]})["a"],
    "an index": Index([1], name="i"),
    "a multi-index": pandas.MultiIndex.from_tuples([(0, 1)]),
    "times": pandas.date_range("2026-01-31", periods=2, tz="UTC"),
    "categories": Series(Categorical(["a"])),
    "an array": numpy.arange(2),
    "a masked array": numpy.ma.array([1, 2], mask=[False, True]),
}


@pytest.mark.parametrize("kind", PICKLED)
def test_a_value_that_was_pickled_shares_with_itself(kind: str) -> None:
    value = PICKLED[kind]
    once = pickle.loads(pickle.dumps(value))
    assert fingerprint(value) == fingerprint(once) == fingerprint(pickle.loads(pickle.dumps(once))) is not None
