"""Who may open a folder to the agent of this machine by registering a flow from it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from appliance.client.errors import Invalid
from appliance.client.transport import Transport
from appliance.kit import added_folders
from appliance.packaging import local_agent
from appliance.protocol.flows import Registration

REQUEST = Registration(project="p", name="etl", content_hash="0" * 64, document={}, storage={"type": "local"})


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The data directory of an appliance that runs."""
    path = tmp_path / "data"
    (path / "agent").mkdir(parents=True)
    monkeypatch.setenv("APPLIANCE_DATA_DIR", str(path))
    monkeypatch.setattr(local_agent, "_NOTICE_SECONDS", 0.3)
    monkeypatch.setattr(local_agent, "_PAUSE", 0.01)
    with (path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield path


def register(data: Path, *needed: str, url: str = "http://127.0.0.1:4200", notices: bool = True) -> None:
    """Register at a server whose agent needs these folders."""

    def answer(_request: httpx2.Request) -> httpx2.Response:
        opened = added_folders.read(data) if notices else []
        closed = next((folder for folder in needed if folder not in opened), None)
        if closed is None:
            number = "01a22c5d-703e-703c-b8b4-00e40209b3e3"
            registered = {"flow_id": number, "version_id": number, "version": 1, "created": True, "url": "/flows/x"}
            return httpx2.Response(201, json=registered)
        details: dict[str, Any] = {"folder": closed}
        refusal = {"code": "closed_folder", "message": f"{closed} is closed.", "request_id": "r", "details": details}
        return httpx2.Response(400, content=msgspec.json.encode(refusal))

    http = httpx2.Client(transport=httpx2.MockTransport(answer), base_url=url)
    local_agent.register(Transport(url, "t", http), REQUEST)


def test_the_owner_of_the_data_opens_every_folder_that_is_needed(data: Path, tmp_path: Path) -> None:
    folders = [str(tmp_path / "flows"), str(tmp_path / "work")]
    for folder in folders:
        Path(folder).mkdir()
    register(data, *folders, url="http://localhost:4200")
    assert added_folders.read(data) == folders


def test_an_agent_that_keeps_its_record_elsewhere_reads_the_list_too(data: Path, tmp_path: Path) -> None:
    (data / "agent").rmdir()
    register(data, str(tmp_path))
    assert added_folders.read(data) == [str(tmp_path)]


def test_an_agent_that_does_not_take_notice_changes_nothing(data: Path, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="is closed"):
        register(data, str(tmp_path), notices=False)
    assert added_folders.read(data) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give the agent a user of its own")
def test_what_the_agents_user_can_not_reach_is_not_opened(data: Path, tmp_path: Path) -> None:
    """The folders above the data directory are closed to others here, and made visible to the agent."""
    os.chown(data / "agent", 1_879_100_001, 1_879_100_002)
    os.chown(data, -1, 1_879_100_002)
    data.chmod(0o710)
    (tmp_path / "flows").mkdir()
    with pytest.raises(Invalid, match="is closed"):
        register(data, str(tmp_path / "flows"))
    register(data, str(data))
    assert added_folders.read(data) == [str(data)]


@pytest.mark.parametrize("url", ["http://10.0.0.7:4200", "https://appliance.example", "http://127.0.0.1.example"])
def test_another_machine_is_none_of_our_business(data: Path, tmp_path: Path, url: str) -> None:
    with pytest.raises(Invalid, match="is closed"):
        register(data, str(tmp_path), url=url)
    assert added_folders.read(data) == []


@pytest.mark.parametrize("folder", ["/", "", "/not-there"])
def test_the_whole_disk_or_a_folder_that_does_not_exist_is_not_opened(data: Path, folder: str) -> None:
    with pytest.raises(Invalid, match="is closed"):
        register(data, folder)
    assert added_folders.read(data) == []


def test_no_appliance_runs_in_the_data_directory(data: Path, tmp_path: Path) -> None:
    (data / ".lock").unlink()
    (data / ".lock").touch()
    with pytest.raises(Invalid, match="is closed"):
        register(data, str(tmp_path))


def test_the_data_of_others_is_theirs(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1_879_100_009)
    with pytest.raises(Invalid, match="is closed"):
        register(data, str(tmp_path))
