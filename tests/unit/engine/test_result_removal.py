"""Of a folder of results, only what has the form of our names is removed, and only inside of it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from appliance.core import packs
from appliance.core.errors import ResultNotFoundError
from appliance.core.flow import Flow
from appliance.core.result_serializers import CompressedSerializer, JSONSerializer, PandasSerializer, PickleSerializer
from appliance.core.states import State
from appliance.core.task_decorator import task
from appliance.engine.flow_runner import FlowRunner
from appliance.engine.results.local import LocalResult
from appliance.engine.results.removal import Freed, Kept, ResultFolder
from appliance.kit import clock, ids

RUN, OTHER = ids.uuid7(), ids.uuid7()
THEN = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = ("2026", "01", "31")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "results"


def keep(folder: Path, run: UUID = RUN, name: str = "extract-1", content: bytes = b"12345") -> Path:
    """A file that the run has kept, as it writes one."""
    place = LocalResult(folder)
    with clock.stopped(lambda: THEN):
        location = place.default_location(str(run), name)
    place.put(location, content)
    return folder / location


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def remove_all(folder: Path, run: UUID = RUN) -> Freed:
    found, freed = ResultFolder(folder), Freed()
    for kept in [kept for kept in found.kept() if kept.flow_run_id == run]:
        freed += found.remove(kept)
    assert found.trouble is None
    return freed


@pytest.mark.parametrize(
    "serializer",
    [PickleSerializer(), JSONSerializer(), PandasSerializer("csv"), CompressedSerializer(PickleSerializer(), "gzip")],
)
def test_every_name_that_we_give_is_removed(folder: Path, serializer: object) -> None:
    place = LocalResult(folder, serializer=serializer)  # type: ignore[arg-type]
    names = ("extract-1", "load-1-17", "a task, named oddly: " + "x" * 200, "_", "-", "")
    for name in names:
        place.put(place.default_location(str(RUN), name), b"12345")
    pack = place.new_pack(place.pack_location(str(RUN), "attempt-1"))
    pack.append(packs.encode(b"1", b"0" * 32))
    pack.sync()
    pack.close()
    kept = list(ResultFolder(folder).kept())
    assert {one.flow_run_id for one in kept} == {RUN}
    (folder / "/".join(kept[0].day) / str(RUN) / f".{ids.uuid7()}.draft").write_bytes(b"1")
    assert remove_all(folder).files == len(names) + 2
    assert files(folder) == set()


def test_what_was_freed_is_counted_and_the_results_of_others_stay(folder: Path) -> None:
    keep(folder)
    keep(folder, name="load-1", content=b"1234567890")
    other = keep(folder, OTHER)
    assert remove_all(folder) == Freed(2, 15)
    assert files(folder) == {str(other.relative_to(folder))}
    assert not (folder / "/".join(DAY) / str(RUN)).exists()
    assert remove_all(folder) == Freed()


def test_a_run_that_lasted_for_days_is_in_each_of_them(folder: Path) -> None:
    keep(folder)
    (folder / "2026/02/01").mkdir(parents=True)
    keep(folder).parent.rename(folder / "2026/02/01" / str(RUN))
    keep(folder)
    assert [kept.day for kept in ResultFolder(folder).kept()] == [DAY, ("2026", "02", "01")]
    assert remove_all(folder).files == 3


def test_names_of_other_forms_stay(folder: Path) -> None:
    own = keep(folder).parent
    task_run = ids.derived(RUN, "extract-1")
    authors = [
        own / "report.csv",
        own / f"report-{RUN}.csv",
        own / f"{task_run}.pickle",
        own / f"extract-{task_run}.pickle",
        own / f"extract-{uuid4()}.pickle",
        own / f"extract-{ids.uuid7()}.pickle~",
        own / ".hidden.draft",
        own / "below" / f"extract-{ids.uuid7()}.pickle",
        folder / "2026/01/31" / f"extract-{ids.uuid7()}.pickle",
        folder / "2026/1/31" / str(RUN) / f"extract-{ids.uuid7()}.pickle",
        folder / "latest/01/31" / str(RUN) / f"extract-{ids.uuid7()}.pickle",
        folder / str(RUN) / f"extract-{ids.uuid7()}.pickle",
        folder / "2026/01/31" / str(RUN).upper() / f"extract-{ids.uuid7()}.pickle",
        folder / "2026/01/31" / RUN.hex / f"extract-{ids.uuid7()}.pickle",
        folder / "cache" / f"{ids.uuid7()}.json",
    ]
    for path in authors:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    assert remove_all(folder).files == 1
    assert files(folder) == {str(path.relative_to(folder)) for path in authors}


def test_links_are_neither_followed_nor_removed(folder: Path, tmp_path: Path) -> None:
    own = keep(folder).parent
    outside = tmp_path / "outside"
    theirs = keep(outside)
    (own / f"extract-{ids.uuid7()}.pickle").symlink_to(theirs)
    (folder / "2026/01/30").symlink_to(outside / "2026/01/31")
    (folder / "2026/02").symlink_to(outside / "2026/01")
    (folder / "2025").symlink_to(outside / "2026")
    (folder / "2026/01/31" / str(OTHER)).symlink_to(theirs.parent)
    assert [kept for kept in ResultFolder(folder).kept()] == [Kept(DAY, RUN)]
    assert remove_all(folder).files == 1
    assert theirs.exists() and len(files(outside)) == 1


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_a_link_that_appears_meanwhile_is_not_followed(folder: Path, tmp_path: Path, level: int) -> None:
    keep(folder)
    found = ResultFolder(folder)
    (kept,) = found.kept()
    replaced = folder.joinpath(*(*DAY, str(RUN))[: level + 1])
    replaced.rename(tmp_path / "moved")
    replaced.symlink_to(tmp_path / "moved")
    assert found.remove(kept) == Freed()
    assert isinstance(found.trouble, OSError)
    found.tidy(THEN + timedelta(days=9))
    assert len(files(tmp_path / "moved")) == 1


def test_the_folder_itself_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    keep(tmp_path / "disk")
    folder.symlink_to(tmp_path / "disk")
    assert remove_all(folder).files == 1


def test_empty_folders_of_past_dates_go_and_those_in_use_stay(folder: Path) -> None:
    found = ResultFolder(folder)
    for day in ("2025/12/31", "2026/01/28", "2026/01/30", "2026/02/01", "notes/01/31"):
        (folder / day).mkdir(parents=True)
    keep(folder, OTHER)

    def days() -> set[str]:
        return {str(path.relative_to(folder)) for path in folder.glob("*/*/*")}

    found.tidy(datetime(2026, 2, 1, tzinfo=UTC))
    assert days() == {"2026/01/30", "2026/01/31", "2026/02/01", "notes/01/31"}
    assert not (folder / "2025").exists()
    remove_all(folder, OTHER)
    found.tidy(datetime(2026, 2, 1, tzinfo=UTC))
    assert days() == {"2026/01/30", "2026/01/31", "2026/02/01", "notes/01/31"}
    found.tidy(datetime(2026, 2, 3, tzinfo=UTC))
    assert days() == {"2026/02/01", "notes/01/31"} and not (folder / "2026/01").exists()
    found.tidy(datetime(2027, 2, 3, tzinfo=UTC))
    assert [path.name for path in folder.iterdir()] == ["notes"]


def test_nothing_was_ever_kept(folder: Path) -> None:
    found = ResultFolder(folder)
    assert list(found.kept()) == []
    found.tidy(THEN)
    assert found.trouble is None and not folder.exists()


def test_what_somebody_else_has_removed_meanwhile_is_fine(folder: Path) -> None:
    path = keep(folder)
    found = ResultFolder(folder)
    (kept,) = found.kept()
    path.unlink()
    path.parent.rmdir()
    assert found.remove(kept) == Freed() and found.trouble is None


def test_what_can_not_be_removed_is_noted_and_the_rest_goes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed, open = keep(folder), keep(folder, OTHER)
    unlink = os.unlink

    def refusing(name: str, *, dir_fd: int) -> None:
        if name == closed.name:
            raise PermissionError(13, "Permission denied", name)
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refusing)  # root would be refused nothing
    found, freed = ResultFolder(folder), Freed()
    for kept in list(found.kept()):
        freed += found.remove(kept)
    assert freed.files == 1 and closed.exists() and not open.exists()
    assert isinstance(found.trouble, PermissionError)


def test_a_cache_whose_result_was_removed_misses_and_is_filled_again(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place, calls = LocalResult(folder), list[int]()

    @task(cache_for=timedelta(days=400))
    def extract() -> int:
        calls.append(1)
        return len(calls)

    def run(flow_run: UUID) -> State:
        with Flow("etl", result=place) as flow:
            one = extract()
        state: State = FlowRunner(flow, flow_run_id=str(flow_run)).run().result[one]
        return state

    location = run(RUN).data["result_location"]
    assert (run(OTHER).data["result_location"], run(OTHER).result) == (location, 1)
    assert remove_all(folder).files == 1
    with pytest.raises(ResultNotFoundError, match=location):
        place.read(location)
    assert run(OTHER).result == 2 and "can't be used" in caplog.text and location in caplog.text
    assert (run(ids.uuid7()).result, len(calls)) == (2, 2)
