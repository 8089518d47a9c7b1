"""Which files of a folder are wheels of the index, and what it says about them."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

import pytest

from appliance.server.web import wheels
from appliance.server.web.wheels import Facts, Wheels, normalized

NAME = "My_Pkg-1.0-py3-none-any.whl"


def put(folder: Path, name: str, content: bytes = b"wheel") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def names(index: Wheels) -> list[str]:
    return [wheel.path.name for project in index.projects() for wheel in index.of(project)]


def facts(index: Wheels, project: str = "my-pkg") -> Facts | None:
    [wheel] = index.of(project)
    return index.facts(wheel)


def test_only_files_with_names_of_wheels_count(tmp_path: Path) -> None:
    for name in (NAME, "notes.txt", "my_pkg-1.0.tar.gz", "bad.whl", "a-1-b-c-d-e-f-g.whl", f"{NAME}.metadata", ".whl"):
        put(tmp_path, name)
    (tmp_path / "folder-1.0-py3-none-any.whl").mkdir()
    put(tmp_path / "inner", "inner-1.0-py3-none-any.whl")
    assert names(Wheels([tmp_path])) == [NAME]


def test_links_and_pipes_do_not_count(tmp_path: Path) -> None:
    outside = put(tmp_path / "outside", "secret-1.0-py3-none-any.whl")
    folder = put(tmp_path / "wheels", NAME).parent
    (folder / outside.name).symlink_to(outside)
    os.mkfifo(folder / "pipe-1.0-py3-none-any.whl")
    index = Wheels([folder])
    assert names(index) == [NAME]
    [wheel] = index.of("my-pkg")
    wheel.path.unlink()
    wheel.path.symlink_to(outside)  # between the list and the reading
    assert index.facts(wheel) is None and index.open(wheel) is None
    wheel.path.unlink()
    os.mkfifo(wheel.path)
    assert index.facts(wheel) is None and index.open(wheel) is None
    wheel.path.unlink()
    wheel.path.mkdir()
    assert index.facts(wheel) is None and index.open(wheel) is None


def test_they_are_ordered_by_version(tmp_path: Path) -> None:
    for version in ("1.10", "1.9", "1.9rc1"):
        put(tmp_path, f"p-{version}-py3-none-any.whl")
    assert [str(wheel.version) for wheel in Wheels([tmp_path]).of("p")] == ["1.9rc1", "1.9", "1.10"]


def test_the_first_folder_counts_and_a_missing_one_is_empty(tmp_path: Path) -> None:
    put(tmp_path / "a", NAME, b"first")
    put(tmp_path / "b", NAME, b"second")
    put(tmp_path / "b", "other-1.0-py3-none-any.whl")
    index = Wheels([tmp_path / "missing", tmp_path / "a", tmp_path / "b"])
    assert names(index) == [NAME, "other-1.0-py3-none-any.whl"]
    known = facts(index)
    assert known is not None and known.sha256 == hashlib.sha256(b"first").hexdigest()


def test_a_changed_file_has_other_facts(tmp_path: Path) -> None:
    file = put(tmp_path, NAME, b"one")
    index = Wheels([tmp_path])
    digest = hashlib.sha256(b"one").hexdigest()
    assert facts(index) == Facts(3, digest, None, None)
    status = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))  # of the same size and time as before
    assert facts(index) == Facts(3, hashlib.sha256(b"two").hexdigest(), None, None)
    text = b"Metadata-Version: 2.1\nName: My_Pkg\nRequires-Python: >=3.11\n\nRequires-Python: >=99\n"
    put(tmp_path, f"{NAME}.metadata", text)
    assert facts(index) == Facts(3, hashlib.sha256(b"two").hexdigest(), hashlib.sha256(text).hexdigest(), ">=3.11")


def test_a_file_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, NAME)
    index = Wheels([tmp_path])
    known = facts(index)
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert known is not None and facts(index) == known


@pytest.mark.parametrize("content", [b"x" * (wheels._LONGEST_METADATA + 1), None], ids=["too long", "a folder"])
def test_unusable_metadata_is_none(tmp_path: Path, content: bytes | None) -> None:
    put(tmp_path, NAME)
    if content is None:
        (tmp_path / f"{NAME}.metadata").mkdir()
    else:
        put(tmp_path, f"{NAME}.metadata", content)
    known = facts(Wheels([tmp_path]))
    assert known is not None and known.metadata is None and known.requires_python is None


def test_a_file_that_was_unreadable_is_read_once_it_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, NAME)
    index = Wheels([tmp_path])
    real = os.open

    def refuse(*_arguments: object, **_options: object) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "open", refuse)
    assert facts(index) is None
    monkeypatch.setattr(os, "open", real)
    assert facts(index) is not None


def test_there_is_a_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(wheels, "MOST", 2)
    for number in range(3):
        put(tmp_path, f"p-{number}-py3-none-any.whl")
    with caplog.at_level(logging.WARNING):
        assert names(Wheels([tmp_path])) == ["p-0-py3-none-any.whl", "p-1-py3-none-any.whl"]
    assert caplog.text.count("leaves out wheels: it has at most 2") == 1


def test_a_folder_that_is_none_is_a_line_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = put(tmp_path, "file")
    with caplog.at_level(logging.WARNING):
        assert names(Wheels([file])) == []
    assert f"can't read the folder {file}: Not a directory" in caplog.text


@pytest.mark.parametrize(
    ("name", "expected"),
    [("My_Pkg", "my-pkg"), ("a.-_b", "a-b"), ("https:evil", None), ("..", None), ("-a", None), ("a b", None)],
)
def test_names_are_normalized(name: str, expected: str | None) -> None:
    assert normalized(name) == expected
