"""When the embedded agent gets a user of its own, and what is said when it does not."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from appliance import config
from appliance.cli import data_owner, separation
from appliance.config import Settings
from appliance.kit import added_folders, privileges
from appliance.kit.privileges import Ids, can_enter

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give it a user of its own")


@pytest.fixture
def site() -> Iterator[Path]:
    """A folder that other users can enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name).resolve()
        path.chmod(0o755)
        (path / "flows").mkdir(mode=0o755)
        yield path


def tried(settings: Settings) -> separation.Separation:
    """What a start decides and, after the trial, does."""
    trial = separation.prepare(settings, separation.decide(settings))
    assert trial is not None
    return trial.outcome()


def settings(site: Path, **more: str) -> Settings:
    folders = {"APPLIANCE_DATA_DIR": str(site / "data"), "APPLIANCE_AGENT_ROOTS": str(site / "flows")}
    return config.load(folders | {"APPLIANCE_AGENT_USER": "1879100001"} | more)


@as_root
def test_without_a_user_for_it_the_agent_gets_a_number_that_nobody_has_and_keeps_it(site: Path) -> None:
    (site / "data").mkdir(mode=0o700)
    first = tried(settings(site, APPLIANCE_AGENT_USER=""))
    assert first.agent is not None, first.problem
    assert first.agent.uid in privileges.SPARE
    assert first.home == str(site / "data" / "agent")
    (site / "data").rename(site / "elsewhere")
    again = separation.decide(settings(site, APPLIANCE_AGENT_USER="", APPLIANCE_DATA_DIR=str(site / "elsewhere")))
    assert again.agent == first.agent


@as_root
@pytest.mark.parametrize("user", ["root", "0"])
def test_root_as_the_agents_user_keeps_them_together(site: Path, user: str) -> None:
    found = separation.decide(settings(site, APPLIANCE_AGENT_USER=user))
    assert (found.server, found.agent, found.problem) == (None, None, "its user is that of the server")


@as_root
def test_the_server_gets_one_too_if_it_can_reach_its_code_and_all_of_its_data(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(separation, "interpreter", lambda: [Path("/usr")])
    data = site / "data"
    data.mkdir(mode=0o700)
    (data / "appliance.db").write_text("x")
    (data / "etl.py").write_text("x")
    found = separation.decide(settings(site))
    assert found.server is not None
    assert found.server.uid in privileges.SPARE
    assert [path.stat().st_uid for path in (data, data / "appliance.db", data / "etl.py")] == [found.server.uid] * 2 + [
        0
    ]
    for more in (
        {"APPLIANCE_PORT": "80"},
        {"APPLIANCE_DATABASE_URL": "postgresql://h/d"},
        {"APPLIANCE_AGENT_USER": "0"},
    ):
        assert separation.decide(settings(site, **more)).server is None, more
        assert (data / "appliance.db").stat().st_uid == 0, "it was not taken back"
    site.chmod(0o700)
    assert separation.decide(settings(site)).server is None


@as_root
def test_a_directory_in_use_or_of_another_user_is_left_alone(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(separation, "interpreter", lambda: [Path("/usr")])
    data = site / "data"
    data.mkdir()
    with (data / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        separation.decide(settings(site))
        assert data.stat().st_uid == 0
    os.chown(data, 1_879_100_003, -1)
    assert separation.decide(settings(site)).server is None
    assert data.stat().st_uid == 1_879_100_003


def test_only_root_can_separate_them(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert separation.decide(settings(site)).problem == "only root can give it a user of its own"


@as_root
def test_a_root_that_the_user_cannot_read_is_named(site: Path) -> None:
    (site / "flows").chmod(0o700)
    found = separation.decide(settings(site))
    assert (found.agent, found.problem) == (
        None,
        f"user 1879100001 can't read {site / 'flows'}, from where the agent takes code",
    )


@as_root
def test_interpreters_that_the_administrator_names_are_made_visible(site: Path) -> None:
    closed = site / "closed"
    (closed / "3.42" / "bin").mkdir(parents=True)
    (closed / "3.42" / "bin" / "python3.42").touch()
    (closed / "python").symlink_to(closed / "3.42" / "bin" / "python3.42")
    closed.chmod(0o700)
    found = separation.decide(settings(site, APPLIANCE_AGENT_PYTHONS=f"{closed / 'python'}:/no/such/python"))
    assert found.barriers[closed] == [closed / "python", closed / "3.42"]


@as_root
def test_a_user_that_does_not_exist_is_one_sentence(site: Path) -> None:
    with pytest.raises(click.ClickException, match="APPLIANCE_AGENT_USER names the user 'nobody-here'"):
        separation.decide(settings(site, APPLIANCE_AGENT_USER="nobody-here"))
    assert separation.decide(settings(site, APPLIANCE_AGENT_USER="0")).problem == "its user is that of the server"


@as_root
def test_a_new_data_directory_belongs_to_the_servers_user_who_can_enter_it(site: Path) -> None:
    umask = os.umask(0o077)
    try:
        new = settings(site, APPLIANCE_DATA_DIR=str(site / "var" / "lib" / "data"), APPLIANCE_SERVER_USER="1879100002")
        found = separation.decide(new)
    finally:
        os.umask(umask)
    assert found.server == Ids(1_879_100_002, 1_879_100_002)
    assert all(can_enter(folder, found.server) for folder in (new.data_path, *new.data_path.parents))
    assert new.data_path.stat().st_mode & 0o777 == 0o700
    os.chown(new.data_path, 1_879_100_003, -1)
    assert separation.decide(new).server is None  # the data directory's check refuses it


@as_root
def test_the_agents_places_change_hands_and_nothing_else_does(site: Path) -> None:
    data = site / "data"
    (data / "agent" / "old").mkdir(parents=True)
    (data / "agent" / "old" / "job.json").write_text("{}")
    secret = data / "secret"
    secret.write_text("x")
    (data / "agent" / "link").symlink_to(secret)
    (data / "agent" / "hard").hardlink_to(secret)
    rooted = settings(site, APPLIANCE_DATABASE_URL="postgresql://h/d")  # so that the server stays root
    found = tried(rooted)
    assert found.agent is not None, found.problem
    assert (data / "agent" / "old" / "job.json").stat().st_uid == found.agent.uid
    assert secret.stat().st_uid == 0
    assert data.stat().st_mode & 0o777 == 0o710
    assert separation.prepare(rooted, separation.Separation(problem="for this test")) is None
    assert {path.stat().st_uid for path in (data, *data.rglob("*"))} == {0}
    assert data.stat().st_mode & 0o777 == 0o700


@as_root
def test_a_trial_that_fails_gives_everything_back(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(separation, "interpreter", lambda: [Path("/usr")])
    monkeypatch.setattr(separation, "_PROBE", "raise SystemExit(1)")
    data = site / "data"
    data.mkdir(mode=0o700)
    (data / "appliance.db").write_text("x")
    outcome = tried(settings(site))
    assert (outcome.server, outcome.agent) == (None, None)
    assert outcome.problem.startswith("user 1879100001 can't ")
    assert {path.stat().st_uid for path in (data, *data.rglob("*"))} == {0}
    assert data.stat().st_mode & 0o777 == 0o700


@as_root
def test_folders_that_were_added_before_the_agent_had_its_user_are_read_by_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    added_folders.add(data, "/srv/flows")
    data_owner.hand_over(data, None, Ids(63033, 63033))
    status = (data / added_folders.NAME).stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (0, 63033, 0o640)
