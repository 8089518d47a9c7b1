"""Healthy runs outlive standstills that are longer than their lease, shorter cuts, and clocks that are an hour wrong. The long form, with
the settings of production and busy processors, which would fail the tests beside this one: `python -m tests.chaos.healthy`."""

from __future__ import annotations

import shutil

import pytest

from tests.chaos.healthy import FAULTS, healthy
from tests.process_guard import marked_directory

SECONDS, LEAST = 10.0, 5
SETTINGS = {
    "APPLIANCE_SCHEDULER_INTERVAL": "1",
    "APPLIANCE_REPAIR_INTERVAL": "1",
    "APPLIANCE_RUN_LEASE": "9",
    "APPLIANCE_HEARTBEAT_INTERVAL": "1",
}
"""A tenth of production, in the same proportions; a standstill lasts longer than a lease."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_no_healthy_run_dies_of_standstills_cuts_and_wrong_clocks() -> None:
    """The faults last most of a minute. What broke stays below /tmp."""
    directory = marked_directory("appliance-chaos-")
    verdict = healthy(directory, seconds=SECONDS, names=list(FAULTS)[:LEAST], settings=SETTINGS)
    assert verdict.violations == [], f"{verdict}\nEverything lies in {directory}."
    assert verdict.counts["minutes of healthy runs"] >= 3, str(verdict)
    shutil.rmtree(directory)
