"""A run under an agent keeps results, and is deleted: the agent removes them, and those of another run serve its restart."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from appliance.client import flow_runs
from appliance.client.errors import NotFound
from appliance.client.transport import path
from appliance.protocol.agents import Deleted, WereDeleted
from tests.integration.live import TOKEN, LiveServer

FLOW = """
from appliance import Flow, Parameter, task

def note(ledger, what):
    with open(ledger, "a") as file:
        file.write(what + "\\n")

@task
def small(ledger):
    note(ledger, "small")
    return 1

@task
def large(ledger):
    note(ledger, "large")
    return b"x" * 100_000

@task
def last(ledger, one, many):
    note(ledger, "last")
    if open(ledger).read().count("last") == 1:
        raise ConnectionError("the first time")

with Flow("keeps") as flow:
    ledger = Parameter("ledger")
    last(ledger, small(ledger), large(ledger))
"""
REMOVED = "Removed the results of deleted runs: 2 files, "


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path / "data").start()
    (tmp_path / "flows.py").write_text(FLOW)
    live.register(tmp_path / "flows.py")
    yield live
    live.kill()


@contextmanager
def agent(server: LiveServer, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """An agent, whose log is a pipe."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
    kept |= {"APPLIANCE_URL": server.url, "APPLIANCE_TOKEN": TOKEN, "APPLIANCE_AGENT_ROOTS": "/"}
    kept |= {"APPLIANCE_RESULTS_URL": (folder / "results").as_uri()}
    command = [sys.executable, "-m", "appliance", "agent", "start", "process", "--name", "host", "--state-dir"]
    with subprocess.Popen([*command, str(folder / "state")], env=kept, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.terminate()
        process.communicate()


def kept(folder: Path) -> dict[str, int]:
    """How many files each run has kept."""
    folders = [found for found in (folder / "results").glob("*/*/*/*") if found.is_dir()]
    return {found.name: len(list(found.iterdir())) for found in folders}


@pytest.mark.slow
def test_results_go_with_their_run(server: LiveServer, tmp_path: Path) -> None:
    with agent(server, tmp_path):
        gone, other = (server.create("keeps", ledger=str(tmp_path / name)) for name in ("gone", "other"))
        assert [server.ended(run).state for run in (gone, other)] == ["Failed", "Failed"]
    assert kept(tmp_path) == {str(gone): 2, str(other): 2}
    flow_runs.delete(server.client, gone)
    with agent(server, tmp_path) as process:
        assert process.stderr is not None
        assert any(REMOVED in line for line in process.stderr)
        assert kept(tmp_path) == {str(other): 2}
        flow_runs.restart(server.client, other)
        assert (
            server.until(other, lambda view: view.attempt == 2 and view.state_type in ("SUCCESS", "FAILED")).state
            == "Success"
        )
    assert (tmp_path / "other").read_text().split() == ["small", "large", "last", "last"]


def test_a_server_of_the_release_before_does_not_know(server: LiveServer) -> None:
    """It has no such route; this is what it answers."""
    with pytest.raises(NotFound):
        server.client.post(path("agents", UUID(int=7), "were-removed"), WereDeleted(flow_run_ids=[]), Deleted)
