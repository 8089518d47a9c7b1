"""When the embedded agent gets a user of its own, and what is said when it does not."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from appliance import config
from appliance.cli import separation
from appliance.config import Settings
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


def settings(site: Path, **more: str) -> Settings:
    folders = {"APPLIANCE_DATA_DIR": str(site / "data"), "APPLIANCE_AGENT_ROOTS": str(site / "flows")}
    return config.load(folders | {"APPLIANCE_AGENT_USER": "1879100001"} | more)


@as_root
def test_without_a_user_for_it_the_agent_stays_with_the_server(site: Path) -> None:
    """As its flows may lie where no other user can read them."""
    found = separation.decide(settings(site, APPLIANCE_AGENT_USER=""))
    assert found.agent is None
    assert found.problem == "no user appliance-agent exists, and APPLIANCE_AGENT_USER names no other"


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
    found = separation.prepare(settings(site), separation.decide(settings(site)))
    assert found.agent is not None, found.problem
    assert (data / "agent" / "old" / "job.json").stat().st_uid == found.agent.uid
    assert secret.stat().st_uid == 0
    assert data.stat().st_mode & 0o777 == 0o710
    again = separation.prepare(settings(site), separation.Separation(problem="for this test"))
    assert again.agent is None
    assert {path.stat().st_uid for path in (data, *data.rglob("*"))} == {0}
    assert data.stat().st_mode & 0o777 == 0o700
