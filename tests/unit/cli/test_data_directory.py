"""The data directory is the appliance's alone."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from appliance.cli import prepare
from appliance.config import Settings


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "data"


def opened(place: Path) -> None:
    prepare.data_directory(Settings(data_dir=str(place))).close()


def test_a_new_one_is_private(place: Path) -> None:
    opened(place)
    assert (mode(place), mode(place / ".lock")) == (0o700, 0o600)


@pytest.mark.parametrize("name", ["", "appliance.db", ".lock"])
def test_one_that_is_open_to_others_is_closed(place: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    place.mkdir()
    place.chmod(0o775)
    if name:
        (place / name).touch()
    opened(place)
    assert mode(place) == 0o700
    assert "was open to other users" in caplog.text
    caplog.clear()
    opened(place)
    assert not caplog.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lets the agent's group in")
def test_what_root_opened_to_the_group_of_the_agent_stays(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    place.mkdir(mode=0o700)
    place.chmod(0o710)
    opened(place)
    assert (mode(place), caplog.text) == (0o710, "")


def test_a_lock_that_leads_elsewhere_is_refused(place: Path, tmp_path: Path) -> None:
    place.mkdir(mode=0o700)
    (place / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(prepare.StartError, match="can't be used"):
        opened(place)
    assert not (tmp_path / "elsewhere").exists()


def test_the_key_of_the_agent_is_made_once_and_no_link_is_followed(place: Path, tmp_path: Path) -> None:
    opened(place)
    settings = Settings(data_dir=str(place))
    key = prepare.agent_key(settings)
    assert (len(key), prepare.agent_key(settings), mode(place / ".agent-key")) == (64, key, 0o600)
    (place / ".agent-key").unlink()
    (tmp_path / "other").write_text("other")
    (place / ".agent-key").symlink_to(tmp_path / "other")
    with pytest.raises(prepare.StartError, match="remove it, and start again"):
        prepare.agent_key(settings)


@pytest.mark.parametrize("open_mode", [0o775, 0o755, 0o711])
def test_a_folder_of_other_things_is_left_as_it_is(place: Path, open_mode: int) -> None:
    place.mkdir()
    (place / "letters.txt").touch()
    place.chmod(open_mode)
    with pytest.raises(
        prepare.StartError, match=r"has other files in it; choose one of its own with --data-dir.*chmod 700"
    ):
        opened(place)
    assert (mode(place), [path.name for path in place.iterdir()]) == (open_mode, ["letters.txt"])
    place.chmod(0o700)
    opened(place)
    assert mode(place / ".lock") == 0o600


def test_the_database_of_an_earlier_release_is_closed(place: Path) -> None:
    place.mkdir()
    place.chmod(0o755)
    (place / "appliance.db").touch(mode=0o644)
    opened(place)
    assert mode(place / "appliance.db") == 0o600


def test_that_of_another_user_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: place.stat().st_uid + 1)
    with pytest.raises(prepare.StartError, match="belongs to another user"):
        opened(place)


def test_the_lock_is_no_link(place: Path, tmp_path: Path) -> None:
    place.mkdir(mode=0o700)
    (tmp_path / "precious").write_text("text")
    (place / ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(prepare.StartError, match="can't be used"):
        opened(place)
    assert (tmp_path / "precious").read_text() == "text"


def test_the_processes_of_a_killed_appliance_may_take_a_moment_to_end(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=str(place))
    held, waits = prepare.data_directory(settings), []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            held.close()

    monkeypatch.setattr(prepare, "_wait", wait)
    prepare.data_directory(settings).close()
    assert len(waits) == 2


def test_two_appliances_never_share_one(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "_PATIENCE", 0.0)
    settings = Settings(data_dir=str(place))
    with prepare.data_directory(settings), pytest.raises(prepare.StartError, match="Another appliance is using"):
        prepare.data_directory(settings)


def test_a_place_that_knows_no_locks_is_named_at_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(_file: object, _operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(prepare.fcntl, "flock", flock)
    with pytest.raises(prepare.StartError, match=r"can't be used \(no locks available\)"):
        opened(place)
