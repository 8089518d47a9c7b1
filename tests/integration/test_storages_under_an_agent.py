"""Storages under a real agent and a real server: no sources on the agent's machine, secrets from the server, and what a run waits for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from appliance.client import flow_runs, flows, secrets
from appliance.packaging.discover import flows_in
from appliance.packaging.register import register
from appliance.protocol.flow_runs import FlowRunView
from appliance.protocol.secrets import PutSecret
from tests.conformance.git_servers import TOKEN
from tests.conformance.place import CANARY, Place
from tests.conformance.storage_places import Git, opened
from tests.integration.live import LiveServer
from tests.integration.test_process_agent import Host


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path_factory.mktemp("server") / "data").start()
    yield live
    live.kill()


@pytest.fixture
def host(server: LiveServer, tmp_path: Path) -> Iterator[Host]:
    host = Host(server, tmp_path / "state", warm=False)
    yield host
    if hasattr(host, "_stop"):
        host.stop()


def registered(server: LiveServer, place: Place, flow: str = "two") -> str:
    place.save()
    for name, value in place.secrets.items():
        secrets.put(server.client, PutSecret(project="p", name=name, secret_value=value))
    one, code = next(pair for pair in flows_in(place.package / "flows.py") if pair[0].name == flow)
    one.storage = place.author()
    answer = register(one, "p", transport=server.client, storage=one.storage.at(code))
    return str(flows.versions(server.client, answer.flow_id)[0])


def said(server: LiveServer, run: UUID) -> str:
    return "\n".join(line.message for line in flow_runs.logs(server.client, run))


def waits(server: LiveServer, run: UUID) -> FlowRunView:
    return server.until(run, lambda view: view.state_type == "PAUSED")


@pytest.mark.parametrize("kind", ["git over http", "http"])
def test_a_run_takes_its_code_with_a_secret_of_the_server(
    kind: str, server: LiveServer, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(kind, tmp_path / "place", monkeypatch) as place:
        version = registered(server, place)
        for name in place.secrets:
            monkeypatch.delenv(f"APPLIANCE_SECRET_{name}")
        shutil.rmtree(place.project)
        host.start()
        run = server.create("two")
        assert server.ended(run).state_type == "SUCCESS", said(server, run)
        for value in (TOKEN, CANARY):
            assert value not in said(server, run) and value not in version
        shutil.rmtree(place.directory)  # what was fetched is kept
        again = server.create("two")
        assert server.ended(again).state_type == "SUCCESS", said(server, again)


def test_a_run_waits_while_its_code_is_gone_and_goes_on_afterwards(
    server: LiveServer, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened("git", tmp_path / "place", monkeypatch) as place:
        assert isinstance(place, Git)
        registered(server, place, "one")
        place.bare.rename(tmp_path / "away.git")
        host.start()
        run = server.create("one")
        view = waits(server, run)
        assert "does not appear to be a git repository" in view.state_message
        (tmp_path / "away.git").rename(place.bare)
        flow_runs.resume(server.client, run)
        assert server.ended(run).state_type == "SUCCESS", said(server, run)


def test_a_module_runs_with_its_version_alone(
    server: LiveServer, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened("module", tmp_path / "place", monkeypatch) as place:
        registered(server, place)
        monkeypatch.setenv(
            "PYTHONPATH", str(tmp_path / "place" / "site"), prepend=os.pathsep
        )  # as if it were installed
        host.start()
        run = server.create("two")
        assert server.ended(run).state_type == "SUCCESS", said(server, run)
        place.change({})
        run = server.create("two")
        assert "was registered with shop-flows 1.0, and 2.0 is installed here" in waits(server, run).state_message
