"""The short form of `make chaos`: a minute of faults, with a seed that stays the same."""

from __future__ import annotations

import shutil

import pytest

from tests import depth
from tests.chaos.run import chaos
from tests.process_guard import marked_directory

SEED, SECONDS = 20260302, depth.pick(quick=60.0, normal=60.0, full=180.0)
LEAST = {"kill": 3, "stop": 2, "between": 2}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_site_survives_chaos() -> None:
    """What broke stays below /tmp, to be looked at: journal, ledger, logs and the database."""
    directory = marked_directory("appliance-chaos-")
    outcome = chaos(directory, seconds=SECONDS, seed=SEED)
    print(outcome)
    assert outcome.verdict.violations == [], f"{outcome}\nEverything lies in {directory}."
    for word, least in LEAST.items():
        assert sum(number for fault, number in outcome.faults.items() if word in fault) >= least, str(outcome)
    assert outcome.verdict.counts["acknowledged"] > 20, str(outcome)
    shutil.rmtree(directory)
