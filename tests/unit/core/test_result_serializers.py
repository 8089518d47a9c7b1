"""Serializers: what comes back, and what is refused rather than changed."""

from __future__ import annotations

import json
import math
import sys
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import IntEnum
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import numpy
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.fingerprints import fingerprint
from appliance.core.result_serializers import (
    CompressedSerializer,
    JSONSerializer,
    PandasSerializer,
    PickleSerializer,
    Serializer,
)
from tests import depth

FRAME = pandas.DataFrame({"n": [1, 2], "name": ["a", "ü"]})


@pytest.mark.parametrize(
    "value", [None, 0, "", [], {"a": {1, 2}}, math.inf, datetime(2026, 1, 1, tzinfo=UTC), lambda x: x]
)
def test_pickles_take_nearly_everything(value: Any) -> None:
    serializer = PickleSerializer()
    found = serializer.deserialize(serializer.serialize(value))
    assert found(3) == 3 if callable(value) else found == value


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 0, -1, 1.5, "", "ü\n\0", [], {}, [1, [2, {"a": None}]], 10**30),
        *((), (1, "a"), [(1,), ((2,), [3])], {"a": (1, 2)}, {"$tuple": [1], "b": 2}, {"$datetime": 1, "$tuple": 2}),
        *(datetime(2026, 1, 31, 6, 30, 0, 5, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=None), {"at": datetime(2026, 1, 1, tzinfo=UTC)}),  # noqa: DTZ001
    ],
)  # fmt: skip
def test_json_comes_back_as_it_was(value: Any) -> None:
    for serializer in (JSONSerializer(), JSONSerializer(indent=2)):
        found = serializer.deserialize(serializer.serialize(value))
        assert found == value and type(found) is type(value)


BERLIN = ZoneInfo("Europe/Berlin")
TIMES = [
    *(datetime(2026, 3, 28, 12, tzinfo=BERLIN), datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN), datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC"))),
    *(datetime(2026, 10, 25, 2, 30, fold=1), datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN)),  # noqa: DTZ001
    *(datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN), datetime(1890, 1, 1, tzinfo=BERLIN)),  # a gap; an offset with seconds
    *(datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=9))), datetime(2026, 1, 1, fold=1, tzinfo=UTC)),
    *(datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=9), "JST")), datetime(2026, 1, 1, fold=1, tzinfo=timezone(timedelta(0), "GMT"))),
]  # fmt: skip


@pytest.mark.parametrize("time", TIMES, ids=repr)
@pytest.mark.parametrize("indent", [None, 2])
def test_json_keeps_the_zone_and_the_fold_of_a_time(time: datetime, indent: int | None) -> None:
    serializer = JSONSerializer(indent)
    (back,) = serializer.deserialize(serializer.serialize((time,)))
    assert repr(back) == repr(time)
    assert (back + timedelta(1)).isoformat() == (time + timedelta(1)).isoformat(), (
        "the next day, across a change of clocks"
    )


def test_json_shows_the_offset_of_a_time_to_others_beside_its_zone() -> None:
    content = {"$datetime": {"at": "2026-03-28T12:00:00+01:00", "zone": "Europe/Berlin"}}
    assert json.loads(JSONSerializer().serialize(TIMES[0])) == content
    assert json.loads(JSONSerializer().serialize(TIMES[-4])) == {"$datetime": "2026-01-01T00:00:00+09:00"}


class Zone(tzinfo):
    """Has no fixed offset and no name to find it by."""

    def utcoffset(self, at: datetime | None) -> timedelta | None:
        return None if at is None else timedelta(hours=1)


class Fixed(Zone):
    """Like those of other libraries."""

    def utcoffset(self, at: datetime | None) -> timedelta:
        return timedelta(hours=1)


def test_json_refuses_a_zone_that_it_can_not_name() -> None:
    with resources.files("tzdata").joinpath("zoneinfo/Europe/Berlin").open("rb") as file:
        unnamed = ZoneInfo.from_file(file)
    for zone in (Zone(), unnamed):
        with pytest.raises(
            TypeError, match=r"JSON can't hold the time zone .*; convert it, such as with `astimezone\(UTC\)`"
        ):
            JSONSerializer().serialize([datetime(2026, 1, 1, tzinfo=zone)])
    assert (
        JSONSerializer().serialize(datetime(2026, 1, 1, tzinfo=Fixed()))
        == b'{"$datetime": "2026-01-01T00:00:00+01:00"}'
    )


def test_json_is_text_for_others() -> None:
    assert JSONSerializer().serialize({"ü": [1, 2]}) == '{"ü": [1, 2]}'.encode()
    assert math.isnan(JSONSerializer().deserialize(JSONSerializer().serialize(math.nan)))
    assert JSONSerializer().deserialize(b'{"$tuple": 1}') == {"$tuple": 1}, "which an earlier release could write"


def test_json_takes_numbers_of_numpy() -> None:
    value = {"n": numpy.int64(1), "x": numpy.float32(1.5), "b": numpy.bool_(True), "s": numpy.str_("a")}
    assert JSONSerializer().serialize(value) == b'{"n": 1, "x": 1.5, "b": true, "s": "a"}'


@pytest.mark.parametrize("value", [
        *({1: 2}, {1, 2}, b"x", object(), [{"a": {None: 1}}], {"$datetime": "x"}, {"$tuple": [1]}, FRAME),
        *(date(2026, 1, 31), timedelta(1), Decimal("0.1"), IntEnum("Size", "S")(1), numpy.array([1]), numpy.datetime64("2026-01-31")),
    ],
)  # fmt: skip
def test_json_refuses_what_would_come_back_as_something_else(value: Any) -> None:
    with pytest.raises(TypeError, match=r"JSON"):
        JSONSerializer().serialize(value)


@pytest.mark.parametrize("file_type", ["csv", "json"])
def test_frames_become_files(file_type: Any) -> None:
    serializer = PandasSerializer(file_type)
    assert serializer.suffix == f".{file_type}"
    assert serializer.deserialize(serializer.serialize(FRAME)).equals(FRAME)


def test_frames_take_the_options_of_pandas() -> None:
    serializer = PandasSerializer(
        "csv", write_options={"sep": ";", "index": True}, read_options={"sep": ";", "index_col": 0}
    )
    assert serializer.serialize(FRAME) == ";n;name\n0;1;a\n1;2;ü\n".encode()
    assert serializer.deserialize(serializer.serialize(FRAME)).equals(FRAME)


def frame(**columns: Any) -> pandas.DataFrame:
    return pandas.DataFrame(columns)


def attributed() -> pandas.DataFrame:
    made = frame(n=[1])
    made.attrs["unit"] = "m"
    return made


at = pandas.to_datetime(["2026-01-31 06:30"])
ODD: dict[str, pandas.DataFrame] = {
    "the column 'zip'": frame(zip=["00123"]),
    "the column 'missing'": frame(missing=["NA", "a"]),
    "the column 'empty'": frame(empty=["", "a"]),
    "the column 'none'": frame(none=pandas.Series(["a", None], dtype=object)),
    "the column 'day'": frame(n=[1], day=at),
    "the column 'created_at'": frame(created_at=at),
    "the column 'zoned'": frame(zoned=at.tz_localize("Europe/Berlin")),
    "the column 'category'": frame(category=pandas.Categorical(["a"])),
    "the column 'small'": frame(small=numpy.array([1], dtype="int8")),
    "the column 'nullable'": frame(nullable=pandas.array([1, None], dtype="Int64")),
    "the column 'flag'": frame(flag=["True", "False"]),
    "the column 'number'": frame(number=["1e5"]),
    "the column 'exact'": frame(exact=[Decimal("1.10")]),
    "the column 'lists'": frame(lists=[[1, 2]]),
    "the column 'zero'": frame(zero=[-0.0]),
    "the column 'mixed'": frame(mixed=[1, "a"]),
    "no rows": frame(nothing=pandas.Series([], dtype="float64")),
    "the names of the columns": pandas.DataFrame([[1]], columns=[""]),
    "numbers as names": pandas.DataFrame([[1]], columns=[7]),
    "repeated names": pandas.DataFrame([[1, 2]], columns=["a", "a"]),
    "the index": pandas.DataFrame({"n": [1, 2]}, index=[5, 7]),
    "text as index": pandas.DataFrame({"n": [1, 2]}, index=["01", "02"]),
    "a named index": pandas.DataFrame({"n": [1]}, index=pandas.Index([0], name="i")),
    "several indexes": pandas.DataFrame({"n": [1]}, index=pandas.MultiIndex.from_tuples([(0, 1)])),
    "the attrs": attributed(),
    "infinity": frame(x=[math.inf]),
    "floats": frame(x=[0.1 + 0.2, 1 / 3, 1e-300, 123456789.123456789, math.nan]),
    "large integers": frame(n=[2**63 - 1, -(2**63)]),
    "odd text": frame(s=[' a,"', "b\nc", "d\re", "\0", "é"]),
    "half a character": frame(s=pandas.Series(["\ud800"], dtype=object)),  # which Arrow can't hold
    "no columns": pandas.DataFrame(),
}


@pytest.mark.parametrize("file_type", ["csv", "json"])
@pytest.mark.parametrize("kind", ODD)
def test_a_frame_comes_back_as_it_was_or_is_refused(kind: str, file_type: Any) -> None:
    serializer, value = PandasSerializer(file_type), ODD[kind]
    try:
        content = serializer.serialize(value)
    except TypeError as error:
        assert f"{file_type.upper()} doesn't keep" in str(error)
        if kind.startswith("the "):
            assert kind in str(error)
    else:
        pandas.testing.assert_frame_equal(
            serializer.deserialize(content), value, check_exact=True, check_index_type=False
        )


def test_plain_columns_and_every_digit_are_kept() -> None:
    for file_type in ("csv", "json"):
        serializer = PandasSerializer(file_type)  # type: ignore[arg-type]
        for kind in ("floats", "large integers"):
            assert serializer.deserialize(serializer.serialize(ODD[kind])).equals(ODD[kind])


def test_parquet_is_checked_in_the_same_way() -> None:
    serializer, value = PandasSerializer("parquet"), frame(n=[1.5], text=["a"], day=at)
    pandas.testing.assert_frame_equal(serializer.deserialize(serializer.serialize(value)), value)
    with pytest.raises(TypeError, match="Parquet doesn't keep the column 'lists'"):
        serializer.serialize(ODD["the column 'lists'"])


def test_options_can_keep_more() -> None:
    value = pandas.DataFrame({"zip": ["00123", "NA"]}, index=[5, 7])
    serializer = PandasSerializer(
        write_options={"index": True}, read_options={"index_col": 0, "dtype": {"zip": "str"}, "keep_default_na": False}
    )
    assert serializer.deserialize(serializer.serialize(value)).equals(value)
    with pytest.raises(TypeError, match="CSV doesn't keep the index"):
        PandasSerializer(write_options={"index": False}).serialize(value)


def test_files_of_earlier_releases_are_read() -> None:
    assert PandasSerializer("csv").deserialize(b"n,name\n1,a\n2,\xc3\xbc\n").equals(FRAME)
    assert PandasSerializer("json").deserialize(b'{"n":{"0":1,"1":2},"name":{"0":"a","1":"\\u00fc"}}').equals(FRAME)
    assert JSONSerializer().deserialize(b'{"a": [1, 2], "at": {"$datetime": "2026-01-31T00:00:00+00:00"}}') == {
        "a": [1, 2],
        "at": datetime(2026, 1, 31, tzinfo=UTC),
    }


def test_only_frames_become_frames() -> None:
    with pytest.raises(TypeError, match="not list"):
        PandasSerializer().serialize([1])
    with pytest.raises(ValueError, match="csv, parquet and json, not 'xls'"):
        PandasSerializer("xls")  # type: ignore[arg-type]


def test_without_pandas_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install 'appliance-flows\[pandas\]'"):
        PandasSerializer().serialize(FRAME)


@pytest.mark.parametrize("format", ["gzip", "bz2", "lzma", "zlib"])
def test_compressed_bytes_are_the_same_every_time_and_smaller(format: Any) -> None:
    serializer = CompressedSerializer(JSONSerializer(), format)
    value = ["again"] * 1000
    content = serializer.serialize(value)
    assert content == serializer.serialize(value)
    assert len(content) < len(JSONSerializer().serialize(value)) / 10
    assert serializer.deserialize(memoryview(content)) == value


def test_what_can_not_be_compressed_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="gzip, bz2, lzma, zlib"):
        CompressedSerializer(JSONSerializer(), "rar")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="A serializer has the methods"):
        CompressedSerializer(JSONSerializer)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "serializer", [PickleSerializer(), JSONSerializer(), PandasSerializer(), CompressedSerializer(JSONSerializer())]
)
def test_buffers_that_are_no_bytes_are_read(serializer: Serializer) -> None:
    value = FRAME if isinstance(serializer, PandasSerializer) else {"a": 1}
    found = serializer.deserialize(memoryview(serializer.serialize(value)))
    assert found.equals(value) if value is FRAME else found == value


_times = st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(fold=0))
_leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | _times
_json = st.recursive(
    _leaves, lambda one: st.lists(one, max_size=4) | st.dictionaries(st.text(), one, max_size=4), max_leaves=12
)


@given(_json)
@settings(max_examples=depth.examples(150), deadline=None, derandomize=True, database=None)
def test_whatever_is_written_comes_back(value: Any) -> None:
    serializer = CompressedSerializer(JSONSerializer(), "zlib")
    try:
        content = serializer.serialize(value)
    except TypeError:  # a key that stands for a datetime
        return
    found = serializer.deserialize(content)
    assert found == value and fingerprint(found) == fingerprint(value)
    assert PickleSerializer().deserialize(PickleSerializer().serialize(value)) == value
