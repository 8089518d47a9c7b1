"""The format of packs: what was written is read back, and what is torn or damaged is never taken for a value."""

from __future__ import annotations

import hashlib
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from appliance.core import packs
from appliance.core.errors import ResultCorruptError, ResultError, ResultLocationError, ResultNotFoundError
from appliance.core.packs import Record
from appliance.engine.results.memory import MemoryResult
from tests import depth

VALUES = [0, "", "text", [1, 2], b"x" * 300, {"a": None}]
CONTENTS = some.lists(some.binary(max_size=80), min_size=1, max_size=5)
SAMPLES = settings(max_examples=depth.pick(quick=30, normal=200, full=3000), deadline=None)


def written(contents: list[bytes]) -> tuple[bytes, list[Record]]:
    """A pack of these, and where they lie in it."""
    pack, records = packs.HEAD, []
    for content in contents:
        record = packs.encode(content, hashlib.sha256(content).digest())
        records.append(packs.at_offset("p.pack", len(pack), record))
        pack += record
    return pack, records


def read(pack: bytes, record: Record) -> bytes | None:
    return packs.decode(record, pack[record.offset : record.offset + record.size])


@given(CONTENTS)
@SAMPLES
def test_what_was_written_is_read_back_at_its_location(contents: list[bytes]) -> None:
    pack, records = written(contents)
    for content, record in zip(contents, records, strict=True):
        assert packs.parse(str(record)) == record
        assert read(pack, record) == content


@given(CONTENTS, some.data())
@SAMPLES
def test_a_pack_that_was_cut_anywhere_has_what_is_before_the_cut(contents: list[bytes], data: some.DataObject) -> None:
    pack, records = written(contents)
    cut = data.draw(some.integers(0, len(pack)))
    for content, record in zip(contents, records, strict=True):
        assert read(pack[:cut], record) == (content if record.offset + record.size <= cut else None)


@given(CONTENTS, some.data())
@SAMPLES
def test_any_changed_byte_is_noticed_in_its_record_and_nowhere_else(
    contents: list[bytes], data: some.DataObject
) -> None:
    pack, records = written(contents)
    at, bits = data.draw(some.integers(0, len(pack) - 1)), data.draw(some.integers(1, 255))
    changed = bytearray(pack)
    changed[at] ^= bits
    for content, record in zip(contents, records, strict=True):
        touched = record.offset <= at < record.offset + record.size
        assert read(bytes(changed), record) == (None if touched else content)


@given(CONTENTS, some.data())
@SAMPLES
def test_a_location_that_says_something_else_finds_nothing(contents: list[bytes], data: some.DataObject) -> None:
    pack, (record, *_) = written(contents)
    other = Record(
        "p.pack",
        data.draw(some.integers(0, len(pack) + 9)),
        data.draw(some.integers(0, packs.SMALL)),
        data.draw(some.sampled_from([record.mark, "0" * 16])),
    )
    if read(pack, other) is not None:
        assert read(pack, other) in contents and other.mark == hashlib.sha256(read(pack, other) or b"").hexdigest()[:16]


@pytest.mark.parametrize(
    "location",
    [
        *("a.pickle", "p.pack", "p.pack/", "p.pack/8-1", "p.pack/8-1-xyz", "p.pack/08-1-0123456789abcdef", ".pack/x"),
        *("p.pack/8-65537-0123456789abcdef", "p.pack/-8-1-0123456789abcdef", "p.pack/8-1-0123456789ABCDEF"),
        *("p.pack/8-1-0123456789abcdef/x", "p.pack/8-1-0123456789abcdef\n", "8-1-0123456789abcdef"),
    ],
)
def test_other_names_are_names_of_files(location: str) -> None:
    assert packs.parse(location) is None


@pytest.mark.parametrize("pack", ["../x.pack", "/etc/x.pack", "a/../../x.pack", "a\\b.pack", "a//b.pack", "a\0.pack"])
def test_a_record_is_never_outside_of_its_place(pack: str) -> None:
    place = MemoryResult()
    for ask in (place.read, place.holds):
        with pytest.raises(ResultLocationError):
            ask(f"{pack}/8-1-0123456789abcdef")


def stored(place: MemoryResult, values: list[object]) -> list[str]:
    pack = place.new_pack(place.pack_location("attempt-1"))
    contents = [place.serialized(value) for value in values]
    records = [pack.append(packs.encode(content, hashlib.sha256(content).digest())) for content in contents]
    pack.sync()
    return list(map(str, records))


def test_values_in_packs_are_read_like_others() -> None:
    place = MemoryResult()
    for value, location in zip(VALUES, stored(place, VALUES), strict=True):
        content = pickle.loads(place.serialized(value))
        assert place.read(location, hashlib.sha256(place.serialized(value)).hexdigest()) == value == content
        assert place.holds(location) and place.exists(location)
    with pytest.raises(ResultCorruptError, match="does not have the content that was written"):
        place.read(stored(place, [1])[0], "0" * 64)


@pytest.mark.parametrize("how", ["torn", "changed"])
def test_a_damaged_record_is_a_clear_failure_and_counts_as_missing(how: str) -> None:
    place = MemoryResult()
    first, last = stored(place, ["first", "last"])
    (name,) = place.contents
    content = place.contents[name]
    place.contents[name] = content[:-1] if how == "torn" else content[:-1] + b"!"
    assert place.read(first) == "first" and place.holds(first)
    assert not place.holds(last)
    with pytest.raises(
        ResultCorruptError, match=r"is damaged or was not written to its end; run its task again"
    ) as caught:
        place.read(last)
    assert last in str(caught.value) and isinstance(caught.value, ResultError)


def test_a_pack_that_is_gone_is_a_missing_result() -> None:
    place = MemoryResult()
    (location,) = stored(place, [1])
    place.contents.clear()
    assert not place.holds(location)
    with pytest.raises(ResultNotFoundError, match="run its task again"):
        place.read(location)


def test_a_pack_of_an_object_store_is_fetched_once_for_all_its_results() -> None:
    class Counting(MemoryResult):
        asked = 0

        def get(self, location: str) -> bytes:
            self.asked += 1
            return super().get(location)

    place = Counting()
    locations = stored(place, list(range(100)))
    assert [place.read(location) for location in locations] == list(range(100))
    assert place.asked == 1
    assert "_recent" not in pickle.loads(pickle.dumps(MemoryResult())).__dict__ | place.__getstate__()
