"""Serializers: what comes back, and what is refused rather than changed."""

from __future__ import annotations

import math
import sys
from datetime import UTC, datetime
from typing import Any

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
        *(datetime(2026, 1, 31, 6, 30, 0, 5, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=None), {"at": datetime(2026, 1, 1, tzinfo=UTC)}),  # noqa: DTZ001
    ],
)  # fmt: skip
def test_json_comes_back_as_it_was(value: Any) -> None:
    for serializer in (JSONSerializer(), JSONSerializer(indent=2)):
        found = serializer.deserialize(serializer.serialize(value))
        assert found == value and type(found) is type(value)


def test_json_is_text_for_others() -> None:
    assert JSONSerializer().serialize({"ü": (1, 2)}) == '{"ü": [1, 2]}'.encode()
    assert math.isnan(JSONSerializer().deserialize(JSONSerializer().serialize(math.nan)))


@pytest.mark.parametrize("value", [{1: 2}, {1, 2}, b"x", object(), [{"a": {None: 1}}], {"$datetime": "x"}, FRAME])
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


def test_only_frames_become_frames() -> None:
    with pytest.raises(TypeError, match="not list"):
        PandasSerializer().serialize([1])
    with pytest.raises(ValueError, match="csv, parquet and json, not 'xls'"):
        PandasSerializer("xls")  # type: ignore[arg-type]


def test_without_pandas_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install 'appliance\[pandas\]'"):
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
