"""The list of folders that an administrator adds for agents."""

from __future__ import annotations

import os
from multiprocessing import get_context
from pathlib import Path

import pytest

from appliance.kit import added_folders


def test_what_is_added_is_read_once_and_can_be_removed(tmp_path: Path) -> None:
    assert added_folders.read(tmp_path) == []
    assert added_folders.add(tmp_path, "/srv/flows")
    assert not added_folders.add(tmp_path, "/srv/flows")
    assert added_folders.add(tmp_path, "/srv/ä b")
    assert added_folders.read(tmp_path) == ["/srv/flows", "/srv/ä b"]
    assert added_folders.remove(tmp_path, "/srv/flows")
    assert not added_folders.remove(tmp_path, "/srv/flows")
    assert added_folders.read(tmp_path) == ["/srv/ä b"]


def _add(data: Path, number: int) -> None:
    added_folders.add(data, f"/srv/{number}")


def test_two_at_a_time_lose_nothing(tmp_path: Path) -> None:
    processes = [get_context("fork").Process(target=_add, args=(tmp_path, number)) for number in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sorted(added_folders.read(tmp_path)) == [f"/srv/{number}" for number in range(8)]


@pytest.mark.parametrize("path", ["/a\n/etc", "/a\0"])
def test_a_path_that_would_be_two_lines_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        added_folders.add(tmp_path, path)
    assert added_folders.read(tmp_path) == []


def test_links_and_pipes_in_its_place_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("/etc\n")
    (tmp_path / added_folders.NAME).symlink_to(tmp_path / "other")
    assert added_folders.read(tmp_path) == []
    assert added_folders.add(tmp_path, "/srv")
    assert (tmp_path / "other").read_text() == "/etc\n"
    assert added_folders.read(tmp_path) == ["/srv"]
    (tmp_path / added_folders.NAME).unlink()
    os.mkfifo(tmp_path / added_folders.NAME)
    assert added_folders.read(tmp_path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_it_belongs_to_the_owner_of_the_directory_and_its_group_reads_it(tmp_path: Path) -> None:
    os.chown(tmp_path, 1_879_100_001, 1_879_100_002)
    umask = os.umask(0o077)
    try:
        added_folders.add(tmp_path, "/srv")
    finally:
        os.umask(umask)
    status = (tmp_path / added_folders.NAME).stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (1_879_100_001, 1_879_100_002, 0o640)
