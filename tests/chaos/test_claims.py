"""Attempts are claimed while agents, runs and the server are killed. The long forms: `python -m tests.chaos.claims` and `tests.chaos.many_claims`."""

from __future__ import annotations

import shutil

import pytest

from tests.chaos import many_claims
from tests.chaos.claims import storm
from tests.process_guard import marked_directory

SEED, CLAIMS, PER_KILL = 12, 100, 10
"""The first four kills of this seed are a run's, an agent's, the server's and the other agent's."""
MANY, MANY_PER_KILL = 300, 50

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_no_attempt_starts_twice_under_kills(database: str) -> None:
    """What broke stays below /tmp."""
    directory = marked_directory("appliance-chaos-")
    verdict = storm(directory, claims=CLAIMS, seed=SEED, per_kill=PER_KILL, postgres=database == "postgres")
    assert verdict.violations == [], f"{verdict}\nEverything lies in {directory}."
    assert verdict.counts["claims"] >= CLAIMS, str(verdict)
    assert verdict.counts["runs"] >= CLAIMS / 2 and verdict.counts["ledger lines"] >= CLAIMS / 2, str(verdict)
    for victim in ("agent", "agent-2", "a run", "server"):
        assert verdict.counts[f"kills of {victim}"], str(verdict)
    shutil.rmtree(directory)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_no_attempt_that_was_replaced_is_heard(database: str) -> None:
    """Runs that die with their agents are restarted, and then their first attempts speak. What broke stays below /tmp."""
    directory = marked_directory("appliance-chaos-")
    verdict = many_claims.storm(
        directory, claims=MANY, seed=SEED, per_kill=MANY_PER_KILL, postgres=database == "postgres"
    )
    assert verdict.violations == [], f"{verdict}\nEverything lies in {directory}."
    assert verdict.counts["claims"] >= MANY and verdict.counts["ledger lines"] >= MANY, str(verdict)
    assert verdict.counts["late writes"] == verdict.counts["late writes refused"] > 0, str(verdict)
    shutil.rmtree(directory)
