"""Locations: what templates give, what they say when they can't, and the names results get by themselves."""

from __future__ import annotations

import hashlib
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from appliance.core.errors import ResultError, ResultLocationError, ResultTypeError
from appliance.core.result_serializers import CompressedSerializer, JSONSerializer
from appliance.core.results import Result, names_in, render
from appliance.engine.results.local import LocalResult
from appliance.engine.results.memory import MemoryResult
from appliance.kit import clock

NAMES: dict[str, Any] = {
    "flow_name": "etl",
    "date": datetime(2026, 1, 31, tzinfo=UTC),
    "map_index": 3,
    "row": {"id": 7},
}


@pytest.mark.parametrize(
    ("template", "location"),
    [
        ("plain", "plain"),
        ("{flow_name}/{date:%Y-%m-%d}/{map_index}", "etl/2026-01-31/3"),
        ("{row[id]:04d}-{date.year}", "0007-2026"),
        ("{{literal}}", "{literal}"),
        (lambda **names: f"{names['flow_name']}.csv", "etl.csv"),
        (lambda map_index, flow_name="x": f"{flow_name}-{map_index}", "etl-3"),
        (lambda: "fixed", "fixed"),
    ],
)
def test_a_template_gives_a_location(template: Any, location: str) -> None:
    assert render(template, NAMES) == location


def test_an_unknown_name_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(ResultLocationError) as caught:
        render("{flow}/x", NAMES)
    assert str(caught.value) == (
        "The result location uses {flow}, which is not available; available: date, flow_name, map_index, row."
    )


@pytest.mark.parametrize(
    "template", ["{}", "{0}", "{flow_name", "{flow_name:d}", "{row[missing]}", "{map_index.real.x}"]
)
def test_a_broken_template_is_one_sentence(template: str) -> None:
    with pytest.raises(ResultLocationError) as caught:
        render(template, NAMES)
    assert "\n" not in str(caught.value)
    assert caught.value.__class__ is ResultLocationError


def test_a_function_that_raises_is_one_sentence() -> None:
    def broken(**_names: Any) -> str:
        raise KeyError("no")

    with pytest.raises(ResultLocationError, match=r"location broken can't be rendered: KeyError: 'no'\."):
        render(broken, NAMES)


def test_the_names_in_a_template() -> None:
    assert names_in("{a}/{b.c[d]:%Y}/{{no}}/{e!r}") == {"a", "b", "e"}
    with pytest.raises(ResultLocationError):
        names_in("{a")


def test_names_of_results_begin_with_the_date_and_say_what_they_are() -> None:
    place = LocalResult("/x", serializer=CompressedSerializer(JSONSerializer(), "bz2"))
    with clock.stopped(lambda: datetime(2026, 1, 31, 23, 59, tzinfo=UTC)):
        location = place.default_location("0198", "load: a/b-1")
    folder, _, name = location.rpartition("/")
    assert folder == "2026/01/31/0198"
    assert name.startswith("load-a-b-1-") and name.endswith(".json.bz2")
    assert UUID(name.removeprefix("load-a-b-1-").removesuffix(".json.bz2"))


@pytest.mark.parametrize("part", ["../..", "/", "", "\0", "日本", "." * 300, "x" * 5000])
def test_no_slug_makes_a_bad_name(part: str) -> None:
    place = MemoryResult()
    place.store(1, place.default_location(part, part))


@pytest.mark.parametrize("location", [5, b"x", ["a"]])
def test_a_location_must_be_a_template(location: Any) -> None:
    with pytest.raises(TypeError, match="location must be a template"):
        LocalResult("/x", location=location)


@pytest.mark.parametrize("serializer", [JSONSerializer, "json", object()])
def test_a_serializer_must_have_the_two_methods(serializer: Any) -> None:
    with pytest.raises(TypeError, match="A serializer has the methods"):
        LocalResult("/x", serializer=serializer)


def test_two_methods_are_enough_for_a_serializer() -> None:
    class Upper:
        def serialize(self, value: str) -> bytes:
            return value.upper().encode()

        def deserialize(self, content: Any) -> str:
            return bytes(content).decode()

    place = MemoryResult(serializer=Upper())  # type: ignore[arg-type]
    stored = place.write("")
    assert place.read(stored.location, stored.sha256) == ""  # no bytes at all are a value, when the hash says so
    assert place.read(place.write("abc").location) == "ABC"


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    place = LocalResult(tmp_path)
    stored = place.write({"a": 1})
    content = (tmp_path / stored.location).read_bytes()
    assert (stored.sha256, stored.size) == (hashlib.sha256(content).hexdigest(), len(content))


class Awkward:
    """Raises whatever one does with it."""

    def _no(self, *_arguments: Any) -> Any:
        raise RuntimeError("hands off")

    __eq__ = __bool__ = __repr__ = __str__ = __hash__ = __len__ = __reduce_ex__ = _no  # type: ignore[assignment]


def test_a_value_that_can_not_be_written_is_named_by_its_type() -> None:
    with pytest.raises(
        ResultTypeError, match=r"type Awkward .* by PickleSerializer\(\): RuntimeError: hands off; return"
    ):
        MemoryResult().write(Awkward())
    with pytest.raises(ResultTypeError, match="type generator "):
        MemoryResult().write(n for n in [1])


# --- files


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_are_their_owners_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        LocalResult(tmp_path / "deep" / "results").store(1, "a/b/c")
    finally:
        os.umask(before)
    assert mode(tmp_path / "deep" / "results" / "a" / "b" / "c") == 0o600
    for folder in ("deep", "deep/results", "deep/results/a", "deep/results/a/b"):
        assert mode(tmp_path / folder) == 0o700


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = LocalResult(tmp_path)
    place.store("before", "one")

    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResultError, match=r"can't be written to file:.*/one: No space left on device\."):
        place.store("after", "one")
    monkeypatch.undo()
    assert place.read("one") == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    place = LocalResult(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(ResultError, match=name):
            place.read(name)
    assert not place.has("folder")
    with pytest.raises(ResultError, match="Is a directory"):
        place.store(1, "folder")
    place.store(1, "file")
    assert not place.has("file/below")
    with pytest.raises(ResultError, match=r"Not a directory|File exists"):
        place.store(1, "file/below")


def test_the_home_is_that_of_whoever_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = LocalResult("~/results")
    monkeypatch.setenv("HOME", str(tmp_path))
    place.store(1, "one")
    assert (tmp_path / "results" / "one").exists()


def test_a_place_is_a_result() -> None:
    assert issubclass(LocalResult, Result) and not LocalResult("/x").optional
