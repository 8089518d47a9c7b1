"""The server dies in the middle of 20 runs: nothing is lost, nothing is doubled, the runs end as they would have. The long form, with the settings of
production: `python -m tests.chaos.outage`."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import depth
from tests.chaos.outage import outage
from tests.chaos.test_healthy import SETTINGS
from tests.e2e.appliance_process import Appliance, running
from tests.process_guard import marked_directory

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture
def own_appliance(tmp_path: Path) -> Iterator[Appliance]:
    with running(tmp_path / "data") as ready:
        ready.register("flows.py")
        yield ready


def test_20_runs_survive_an_outage_that_is_longer_than_their_lease() -> None:
    """What broke stays below /tmp."""
    directory = marked_directory("appliance-chaos-")
    seconds, lines = depth.pick(quick=12.0, normal=12.0, full=60.0), depth.pick(quick=400, normal=400, full=50_000)
    verdict = outage(directory, seconds=seconds, runs=20, lines=lines, settings=SETTINGS)
    assert verdict.violations == [], f"{verdict}\nEverything lies in {directory}."
    assert verdict.counts["lines"] == 20 * lines
    shutil.rmtree(directory)


def test_a_run_that_died_while_the_server_was_away_is_crashed(own_appliance: Appliance, tmp_path: Path) -> None:
    run_id = own_appliance.create_run("waits", path=str(tmp_path / "never"))
    own_appliance.wait_for(run_id, "RUNNING")
    pid = own_appliance.run_pid(run_id)
    own_appliance.kill()
    os.kill(pid, signal.SIGKILL)
    own_appliance.start()
    run = own_appliance.wait_for(run_id, "FAILED", seconds=30)
    assert run["state"] == "Crashed"
