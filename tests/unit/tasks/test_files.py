"""Files: what is copied, moved, packed and unpacked, what is refused, and that nothing half done is left."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from appliance import Flow
from appliance.tasks.files import Copy, Glob, Hash, Move, Remove, Tar, Untar, Unzip, WaitUntilStable, Zip
from appliance.tasks.library.errors import MissingArgument, Refused

needs_filters = pytest.mark.skipif(
    not hasattr(tarfile, "data_filter"), reason="Pythons before 3.11.4 can't unpack archives safely"
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with files, one of which is executable, and a link."""
    (tmp_path / "tree" / "inner").mkdir(parents=True)
    (tmp_path / "tree" / "a.txt").write_text("a")
    (tmp_path / "tree" / "inner" / "b.sh").write_text("b")
    (tmp_path / "tree" / "inner" / "b.sh").chmod(0o755)
    (tmp_path / "tree" / "link").symlink_to("a.txt")
    return tmp_path / "tree"


def test_copy_and_move_files(tree: Path, tmp_path: Path) -> None:
    assert Copy(tree / "inner" / "b.sh", tmp_path / "c.sh").run() == tmp_path / "c.sh"
    assert os.access(tmp_path / "c.sh", os.X_OK)
    assert Copy(str(tree / "a.txt")).run(target_path=tree / "inner") == tree / "inner" / "a.txt"
    (tmp_path / "c.sh").write_text("new")
    assert Move(tmp_path / "c.sh", tree / "a.txt").run() == tree / "a.txt"
    assert (tree / "a.txt").read_text() == "new" and not (tmp_path / "c.sh").exists()
    with pytest.raises(Refused, match=r"nowhere': No such file or directory\.$"):
        Copy(tmp_path / "nowhere", tmp_path / "x").run()
    with pytest.raises(MissingArgument, match="Copy has no target_path"):
        Copy(tree).run()


def test_copy_and_move_folders(tree: Path, tmp_path: Path) -> None:
    copy = Copy(tree, tmp_path / "copy").run()
    assert (copy / "link").readlink() == Path("a.txt") and os.access(copy / "inner" / "b.sh", os.X_OK)
    (tmp_path / "in" / "tree").mkdir(parents=True)
    with pytest.raises(Refused, match="exists"):
        Copy(tree, tmp_path / "in").run()
    assert Move(copy, tmp_path / "moved").run() == tmp_path / "moved"
    assert not copy.exists() and (tmp_path / "moved" / "a.txt").exists()


def test_what_is_moved_to_another_file_system_is_copied_whole(tree: Path) -> None:
    target = Path("/dev/shm") / f"moved-{os.getpid()}"
    if Path("/dev/shm").stat().st_dev == tree.stat().st_dev:
        pytest.skip("this machine has one file system")
    Move(tree, target).run()
    assert not tree.exists() and (target / "inner" / "b.sh").read_text() == "b"
    assert Remove(target).run() is True


def full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device", "x")


def test_a_copy_that_fails_leaves_nothing(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.copystat", full)
    for source in (tree, tree / "a.txt"):
        with pytest.raises(Refused, match="No space left"):
            Copy(source, tmp_path / "copy").run()
    assert {path.name for path in tmp_path.iterdir()} == {"tree"}


def test_remove_and_glob(tree: Path) -> None:
    assert Glob(tree, "**/*.*").run() == [tree / "a.txt", tree / "inner" / "b.sh"]
    assert Glob(tree).run(pattern="*.csv") == []
    with pytest.raises(Refused, match="is not a folder"):
        Glob(tree / "nowhere", "*").run()
    assert Remove(tree / "link").run() and (tree / "a.txt").exists()
    assert Remove(tree).run() and not tree.exists()
    assert Remove(tree, missing_ok=True).run() is False
    with pytest.raises(Refused, match="No such file"):
        Remove(tree).run()


def test_zip_and_unzip(tree: Path, tmp_path: Path) -> None:
    archive = Zip([tree, tree / "a.txt"], tmp_path / "x.zip", compression_level=9).run()
    with zipfile.ZipFile(archive) as packed:
        names = packed.namelist()
    assert names == ["tree/", "tree/a.txt", "tree/inner/", "tree/inner/b.sh", "tree/link", "a.txt"]
    assert Unzip(archive, tmp_path / "out").run() == tmp_path / "out"
    assert (tmp_path / "out" / "tree" / "inner" / "b.sh").read_text() == "b"
    with pytest.raises(Refused, match="more than most_bytes=2"):
        Unzip(archive, tmp_path / "other", most_bytes=2).run()
    assert not (tmp_path / "other").exists()
    (tmp_path / "bad.zip").write_text("no archive")
    with pytest.raises(Refused, match="Unzip: File is not a zip file"):
        Unzip(tmp_path / "bad.zip", tmp_path / "other").run()


def test_a_missing_folder_is_named_in_one_sentence(
    tree: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Flow("packs") as flow:
        Zip(source_path=str(tree), zip_path=str(tmp_path / "gone" / "x.zip"))()
    failed = next(iter(flow.run(progress=False).result.values()))
    assert failed.message == f"Refused: '{tmp_path}/gone/x.zip': No such file or directory."
    assert "traceback" not in failed.data
    assert "Traceback" not in caplog.text


@needs_filters
@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.tgz", "x.tar.bz2", "x.tar.xz"])
def test_tar_and_untar(tree: Path, tmp_path: Path, name: str) -> None:
    archive = Tar(tree, tmp_path / name).run()
    assert Untar(archive, tmp_path / "out").run() == tmp_path / "out"
    assert (tmp_path / "out" / "tree" / "link").readlink() == Path("a.txt")
    with pytest.raises(Refused, match="more than most_bytes"):
        Untar(archive, tmp_path / "other", most_bytes=1).run()


@needs_filters
def test_members_that_lead_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        member = tarfile.TarInfo("../out.txt")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    with pytest.raises(Refused, match="Untar: "):
        Untar(tmp_path / "x.tar", tmp_path / "in").run()
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr("../out.txt", "x")
    Unzip(tmp_path / "x.zip", tmp_path / "in").run()
    assert not (tmp_path / "out.txt").exists()


def test_a_hash_is_compared(tree: Path) -> None:
    assert Hash(tree / "a.txt").run() == hashlib.sha256(b"a").hexdigest()
    assert Hash(tree / "a.txt", "md5", expected="0CC175B9C0F1B6A831C399E269772661").run()
    with pytest.raises(Refused, match=r"has the sha256 ca978.*, not 00"):
        Hash(tree / "a.txt").run(expected="00")
    with pytest.raises(ValueError, match="unsupported hash type"):
        Hash(algorithm="rot13")


def test_a_file_is_waited_for_until_nobody_writes_it(tmp_path: Path) -> None:
    file = tmp_path / "late"
    pause = threading.Event()

    def write() -> None:
        for _ in range(4):
            pause.wait(0.2)
            with file.open("a") as out:
                out.write("x")

    threading.Thread(target=write).start()
    assert WaitUntilStable(file, stable_for=0.6, every=0.1).run() == {"path": str(file), "bytes": 4}
