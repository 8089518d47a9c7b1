"""The server dies in the middle of a run: nothing is lost, nothing is doubled, the run ends as it would have."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.appliance_process import Appliance, running

pytestmark = pytest.mark.slow


@pytest.fixture
def own_appliance(tmp_path: Path) -> Iterator[Appliance]:
    with running(tmp_path / "data") as ready:
        ready.register("flows.py")
        yield ready


def histories(appliance: Appliance) -> dict[str, list[int]]:
    """Versions by flow run or task run, straight from the database."""
    database = sqlite3.connect(f"file:{appliance.data_dir / 'appliance.db'}?mode=ro", uri=True)
    found: dict[str, list[int]] = {}
    for table, key in (("flow_run_state", "flow_run_id"), ("task_run_state", "task_run_id")):
        for owner, version in database.execute(f"select {key}, version from {table} order by {key}, version"):
            found.setdefault(owner, []).append(version)
    database.close()
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("outage", [10, pytest.param(60, marks=pytest.mark.full)])
def test_a_run_of_200_tasks_survives_a_killed_server(own_appliance: Appliance, outage: int) -> None:
    run_id = own_appliance.create_run("chain-200", pause=0.1)
    own_appliance.wait_for(run_id, "RUNNING")
    own_appliance.kill()
    time.sleep(outage)  # the outage itself is the fault under test
    own_appliance.start()
    own_appliance.wait_for(run_id, "SUCCESS", seconds=120)
    tasks = own_appliance.items(f"/api/v1/flow-runs/{run_id}/task-runs")
    links = [task for task in tasks if task["task_slug"].startswith("link")]
    assert len(links) == 200
    assert {task["state"] for task in links} == {"Success"}
    for owner, versions in histories(own_appliance).items():
        assert versions == list(range(1, len(versions) + 1)), owner


@pytest.mark.timeout(120)
def test_a_run_that_died_while_the_server_was_away_is_crashed(own_appliance: Appliance, tmp_path: Path) -> None:
    run_id = own_appliance.create_run("waits", path=str(tmp_path / "never"))
    own_appliance.wait_for(run_id, "RUNNING")
    pid = own_appliance.run_pid(run_id)
    own_appliance.kill()
    os.kill(pid, signal.SIGKILL)
    own_appliance.start()
    run = own_appliance.wait_for(run_id, "FAILED", seconds=30)
    assert run["state"] == "Crashed"
