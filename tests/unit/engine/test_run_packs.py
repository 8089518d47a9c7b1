"""The packs of a run: what is durable when, what becomes of results that can't be made so, and who may write them."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from appliance.core import packs
from appliance.core.errors import ResultError
from appliance.engine.results import file_packs
from appliance.engine.results.local import LocalResult
from appliance.engine.results.memory import MemoryResult
from appliance.engine.results.run_packs import RunPacks

PARTS = ("run", "task-1")


@pytest.fixture
def run() -> RunPacks:
    return RunPacks("run", "attempt-2")


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_small_results_share_a_file_and_large_ones_have_their_own(run: RunPacks, tmp_path: Path) -> None:
    place = LocalResult(tmp_path)
    values = [1, "two", b"x" * (packs.SMALL - 100), b"x" * packs.SMALL, b"y" * packs.SMALL]
    found = [run.store(place, value, PARTS) for value in values]
    assert not run.sync().locations
    assert [place.read(one.location, one.sha256) for one in found] == values
    assert [packs.parse(one.location) is not None for one in found] == [True, True, True, False, False]
    names = [path.name for path in files(tmp_path)]
    assert sum(name.startswith("attempt-2-") and name.endswith(".pack") for name in names) == 1
    assert sum(name.startswith("task-1-") for name in names) == 2
    (pack,) = tmp_path.rglob("*.pack")
    assert stat.S_IMODE(pack.stat().st_mode) == 0o600 and pack.parent.name == "run"


def test_a_batch_is_synced_once_and_a_folder_when_it_is_new(
    run: RunPacks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    data, whole = os.fdatasync, os.fsync
    monkeypatch.setattr(os, "fdatasync", lambda file: (done.append("data"), data(file)))
    monkeypatch.setattr(os, "fsync", lambda file: (done.append("folder"), whole(file)))
    place = LocalResult(tmp_path / "results")
    for value in range(100):
        run.store(place, value, PARTS)
    made = done.copy()
    assert set(made) == {"folder"} and len(made) == len({"results", "y", "m", "d", "run", "the pack"})
    run.sync()
    run.sync()
    assert done == [*made, "data"]


def test_an_object_store_gets_one_object_a_batch(run: RunPacks) -> None:
    place = MemoryResult()
    batches = [
        [run.store(place, value, PARTS).location for value in range(10)] for _ in range(3) if not run.sync().reason
    ]
    assert len(place.contents) == 2
    run.close()
    assert len(place.contents) == 3
    assert [[place.read(one) for one in batch] for batch in batches] == [list(range(10))] * 3


def test_what_waits_for_an_object_store_in_memory_is_bounded(run: RunPacks) -> None:
    place = MemoryResult()
    for number in range(200):
        run.store(place, bytes([number]) * 60_000, PARTS)
    assert len(place.contents) == 2


def test_a_file_that_is_full_is_followed_by_another(
    run: RunPacks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_packs, "_MOST", 200)
    place = LocalResult(tmp_path)
    found = [run.store(place, value, PARTS).location for value in range(20)]
    assert not run.close().locations
    assert len(files(tmp_path)) > 3
    assert [place.read(one) for one in found] == list(range(20))


def test_a_full_disk_fails_the_task_at_once_and_the_next_result_is_whole(
    run: RunPacks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, write = LocalResult(tmp_path), os.pwrite
    first = run.store(place, "first", PARTS)

    def full(file: int, content: memoryview, offset: int) -> int:
        monkeypatch.setattr(os, "pwrite", no_room)
        return write(file, content[:10], offset)

    def no_room(_file: int, _content: memoryview, _offset: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(ResultError, match="No space left on device"):
        run.store(place, "does not fit", PARTS)
    monkeypatch.setattr(os, "pwrite", write)
    second = run.store(place, 2, PARTS)
    assert not run.sync().locations
    assert [place.read(one.location, one.sha256) for one in (first, second)] == ["first", 2]


def test_an_interrupt_in_the_middle_of_a_write_harms_no_other_result(
    run: RunPacks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, write = LocalResult(tmp_path), os.pwrite

    def interrupted(file: int, content: memoryview, offset: int) -> int:
        write(file, content, offset)
        raise KeyboardInterrupt

    first = run.store(place, "first", PARTS)
    monkeypatch.setattr(os, "pwrite", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.store(place, "interrupted", PARTS)
    monkeypatch.setattr(os, "pwrite", write)
    second = run.store(place, "second", PARTS)
    assert [place.read(one.location, one.sha256) for one in (first, second)] == ["first", "second"]


def test_an_interrupt_while_a_batch_is_written_harms_nothing(
    run: RunPacks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, write = LocalResult(tmp_path), os.pwrite
    place.optional = True

    def interrupted(file: int, content: memoryview, offset: int) -> int:
        write(file, content[:50], offset)
        raise KeyboardInterrupt

    found = [run.store(place, value, PARTS) for value in range(5)]
    monkeypatch.setattr(os, "pwrite", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.sync()
    monkeypatch.setattr(os, "pwrite", write)
    found += [run.store(place, value, PARTS) for value in range(5, 9)]
    assert not run.sync().locations
    assert [place.read(one.location, one.sha256) for one in found] == list(range(9))


def test_a_full_disk_loses_the_batch_at_a_default_place(
    run: RunPacks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, write = LocalResult(tmp_path), os.pwrite
    place.optional = True
    kept = run.store(place, "kept", PARTS)
    assert not run.sync().locations

    def no_room(_file: int, _content: memoryview, _offset: int) -> int:
        raise OSError(28, "No space left on device")

    gone = run.store(place, "gone", PARTS)
    monkeypatch.setattr(os, "pwrite", no_room)
    lost = run.sync()
    assert lost.locations == {gone.location} and "No space left on device" in lost.reason
    monkeypatch.setattr(os, "pwrite", write)
    later = run.store(place, "later", PARTS)
    run.close()
    assert [place.read(one.location) for one in (kept, later)] == ["kept", "later"]
    assert not place.holds(gone.location)


def test_an_interrupt_of_a_sync_leaves_it_to_the_next(
    run: RunPacks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, sync = LocalResult(tmp_path), os.fdatasync
    synced: list[int] = []

    def interrupted(_file: int) -> None:
        raise KeyboardInterrupt

    run.store(place, 1, PARTS)
    monkeypatch.setattr(os, "fdatasync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.sync()
    monkeypatch.setattr(os, "fdatasync", lambda file: (synced.append(file), sync(file)))
    assert not run.sync().locations
    assert len(synced) == 1


@pytest.mark.parametrize("optional", [True, False])
def test_results_that_can_not_be_made_durable_are_lost_and_later_ones_are_not(
    run: RunPacks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optional: bool
) -> None:
    place, sync = LocalResult(tmp_path), os.fdatasync
    place.optional = optional

    def broken(_file: int) -> None:
        raise OSError(5, "Input/output error")

    kept = run.store(place, "kept", PARTS)
    assert not run.sync().locations
    gone = [run.store(place, value, PARTS).location for value in range(3)]
    monkeypatch.setattr(os, "fdatasync", broken)
    lost = run.sync()
    assert lost.locations == set(gone) and "Input/output error" in lost.reason
    assert lost.required == (set() if optional else set(gone))
    monkeypatch.setattr(os, "fdatasync", sync)
    later = run.store(place, "later", PARTS)
    assert run.sync().locations == set(gone)
    assert packs.parse(later.location).pack != packs.parse(gone[0]).pack  # type: ignore[union-attr]
    assert [place.read(one.location) for one in (kept, later)] == ["kept", "later"]


def test_an_object_store_that_is_away_loses_the_batch(run: RunPacks) -> None:
    class Away(MemoryResult):
        away = True

        def put(self, location: str, content: bytes) -> None:
            if self.away:
                raise self.trouble("written to", location, "it is away")
            super().put(location, content)

    place = Away()
    gone = run.store(place, 1, PARTS)
    assert run.sync().locations == {gone.location}
    place.away = False
    there = run.store(place, 2, PARTS)
    assert run.close().locations == {gone.location}
    assert place.holds(there.location) and not place.holds(gone.location)


@pytest.mark.parametrize("kind", ["file", "default file", "object"])
def test_threads_that_store_while_others_sync_share_the_packs(
    run: RunPacks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(file_packs, "_MOST", 20_000)
    place = MemoryResult() if kind == "object" else LocalResult(tmp_path)
    place.optional = kind == "default file"
    found: dict[int, str] = {}

    def work(which: int) -> None:
        for number in range(200):
            value = which * 1000 + number
            found[value] = run.store(place, value, PARTS).location
            if number % 20 == which:
                assert not run.sync().locations
                assert place.read(found[value]) == value

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert not run.close().locations
    assert len(found) == 1200 and all(place.read(location) == value for value, location in found.items())


def test_a_process_that_a_task_forked_writes_a_file_of_its_own(run: RunPacks, tmp_path: Path) -> None:
    place = LocalResult(tmp_path)
    first = run.store(place, "parent", PARTS)
    child = os.fork()
    if not child:
        code = 1
        try:
            run.store(place, "child", PARTS)
            run.sync()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    second = run.store(place, "parent again", PARTS)
    assert [place.read(one.location) for one in (first, second)] == ["parent", "parent again"]
    assert len(files(tmp_path)) == 2


def test_packs_are_never_written_through_links_or_over_files(tmp_path: Path) -> None:
    place = LocalResult(tmp_path / "results")
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "folder").symlink_to(outside)
    (tmp_path / "results" / "taken.pack").write_text("taken")
    (tmp_path / "results" / "link.pack").symlink_to(outside / "new")
    for location in ("folder/a.pack", "taken.pack", "link.pack"):
        with pytest.raises(ResultError):
            place.new_pack(location)
    assert not list(outside.iterdir()) and (tmp_path / "results" / "taken.pack").read_text() == "taken"
