"""The folders with code that an agent has fetched: one fetch per version, whatever dies, and nothing but what was registered."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from appliance.agents.code_cache import CodeCache
from appliance.agents.code_usage import in_use
from appliance.agents.preparation import RunAccess
from appliance.client.transport import Transport
from appliance.kit import crash
from appliance.packaging import loading
from appliance.packaging.storage import Access, CodeMissing, LoadError, identity
from appliance.protocol import storage as storages
from appliance.protocol.agents import Work
from appliance.protocol.fetched_code import FetchedCode

FLOW = "from appliance import Flow\nfrom sales.rates import RATE\n\nwith Flow(f'at {RATE}') as flow:\n    pass\n"
FILES = {
    "src/sales/__init__.py": "",
    "src/sales/nightly.py": FLOW,
    "src/sales/rates.py": "RATE = 7\n",
    "notes.txt": "!",
}


class ShelfCode(FetchedCode, kw_only=True):
    type: str = "shelf"


class Shelf:
    """A storage that copies files from memory, and counts."""

    files: ClassVar[dict[str, str]] = {}
    fetches = multiprocessing.Value("i", 0)

    def describe(self) -> dict[str, Any]:
        return document()

    @classmethod
    def fetch(cls, document: dict[str, Any], folder: Path, access: Access) -> None:
        with cls.fetches.get_lock():
            cls.fetches.value += 1
        for name, text in cls.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def document(**changes: Any) -> dict[str, Any]:
    hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in FILES.items()}
    path = "src/sales/nightly.py"
    return {"type": "shelf", "path": path, "flow": "at 7", "sha256": hashes.pop(path), "files": hashes, **changes}


@pytest.fixture(autouse=True)
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Shelf]]:
    monkeypatch.setitem(loading.FETCHED, "shelf", Shelf)
    monkeypatch.setattr(storages, "KINDS", {**storages.KINDS, "shelf": ShelfCode})
    Shelf.files, Shelf.fetches.value = dict(FILES), 0
    yield Shelf
    crash.arm("")


@pytest.fixture
def access() -> RunAccess:
    work = Work(
        flow_run_id=uuid4(), attempt=1, run_token="t", name="r", flow="f", project="p", storage={}, run_config={}
    )
    return RunAccess(Transport("http://appliance.test"), uuid4(), work)


def test_code_is_fetched_once_and_loads_under_its_real_name(tmp_path: Path, access: RunAccess) -> None:
    cache = CodeCache(tmp_path / "code")
    folder, place = cache.obtain(document(), access)
    assert cache.obtain(document(), access) == (folder, place)
    assert Shelf.fetches.value == 1
    assert place["path"] == str(folder / "src/sales/nightly.py")
    assert (place["root"], set(place["files"])) == (str(folder / "src"), {"sales/__init__.py", "sales/rates.py"})
    flow = loading.load_flow(place)
    assert flow.name == "at 7"


@pytest.mark.parametrize("change", ["changed", "gone", "link", "more"])
def test_a_damaged_folder_is_fetched_again(tmp_path: Path, access: RunAccess, change: str) -> None:
    cache = CodeCache(tmp_path / "code")
    folder, _ = cache.obtain(document(), access)
    file = folder / "src/sales/rates.py"
    if change == "changed":
        file.write_text("RATE = 8\n")
    elif change == "gone":
        file.unlink()
    elif change == "link":
        (tmp_path / "rates.py").write_text(FILES["src/sales/rates.py"])
        file.unlink()
        file.symlink_to(tmp_path / "rates.py")
    else:
        (folder / "src/sales/more.py").write_text("")
        (folder / "outside").symlink_to(tmp_path)
    assert cache.obtain(document(), access)[0] == folder
    assert Shelf.fetches.value == (1 if change == "more" else 2)
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()} == set(FILES)
    assert (tmp_path / "code").exists()
    assert file.read_text() == "RATE = 7\n"
    assert not file.is_symlink()


def test_other_content_than_was_registered_is_refused_and_not_kept(tmp_path: Path, access: RunAccess) -> None:
    Shelf.files["src/sales/rates.py"] = "RATE = 8\n"
    with pytest.raises(CodeMissing, match=r"src/sales/rates.py of flow 'at 7' differs .*: register the flow again"):
        CodeCache(tmp_path / "code").obtain(document(), access)
    assert not [path for path in (tmp_path / "code").iterdir() if path.is_dir()]


def test_what_a_crash_left_behind_is_written_anew(tmp_path: Path, access: RunAccess) -> None:
    pid = os.fork()
    if pid == 0:
        crash.arm("agent.fetched:1:kill")
        CodeCache(tmp_path / "code").obtain(document(), access)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status)
    assert not (tmp_path / "code" / identity(document())).exists()
    folder, _ = CodeCache(tmp_path / "code").obtain(document(), access)
    assert Shelf.fetches.value == 2
    assert [path for path in (tmp_path / "code").iterdir() if path.is_dir()] == [folder]


def test_two_processes_fetch_a_version_once(tmp_path: Path, access: RunAccess) -> None:
    pids = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            try:
                CodeCache(tmp_path / "code").obtain(document(), access)
                os._exit(0)
            finally:
                os._exit(1)
        pids.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0, 0, 0]
    assert Shelf.fetches.value == 1


def test_room_is_made_but_never_where_a_run_is_at_work(tmp_path: Path, access: RunAccess) -> None:
    cache = CodeCache(tmp_path / "code", most_bytes=1, recent=-1)
    held, _ = cache.obtain(document(flow="held"), access)
    with in_use(held):
        free, _ = cache.obtain(document(flow="free"), access)
        newest, _ = cache.obtain(document(flow="newest"), access)
        assert [held.exists(), free.exists(), newest.exists()] == [True, False, True]
    last, _ = cache.obtain(document(flow="last"), access)
    assert [held.exists(), newest.exists(), last.exists()] == [False, False, True]


def test_a_folder_that_was_just_used_stays(tmp_path: Path, access: RunAccess) -> None:
    cache = CodeCache(tmp_path / "code", most_bytes=1)
    folders = [cache.obtain(document(flow=name), access)[0] for name in ("one", "two")]
    assert all(folder.exists() for folder in folders)


def test_a_place_that_takes_nothing_is_told_in_a_sentence(tmp_path: Path, access: RunAccess) -> None:
    (tmp_path / "code").write_text("")
    with pytest.raises(LoadError, match="could not be kept on this machine: File exists"):
        CodeCache(tmp_path / "code").obtain(document(), access)


@pytest.mark.parametrize("path", ["/etc/x.py", "../x.py", "a/../x.py", "./x.py", "a//x.py", "x.txt", "a\\x.py", ".."])
def test_paths_that_lead_elsewhere_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"must (be relative|end in \.py)"):
        storages.decode(document(path=path))


def test_threads_share_a_fetch(tmp_path: Path, access: RunAccess) -> None:
    cache = CodeCache(tmp_path / "code")
    threads = [threading.Thread(target=cache.obtain, args=(document(), access)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Shelf.fetches.value == 1
