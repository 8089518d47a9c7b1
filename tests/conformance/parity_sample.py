"""Which flows of the parity suite run at which depth, and in what surroundings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import depth
from tests.conformance.parity_suite import CASES
from tests.conformance.parity_surroundings import SECRETS

_OF_EVERY_KIND = (
    *("a_failure_at_the_start", "handlers"),
    *("mapping", "flattening"),
    "branches",  # case and merge
    "mapped_retries",
    *("signals_of_tasks", "loops"),
    "timeouts",
    *("mapped_pauses", "a_mapped_restart"),
    "a_pause_within_a_resource",
    "iterators_as_results",
    *("output", "secrets", "the_context"),
)
SAMPLE = [name for name in CASES if name in _OF_EVERY_KIND or depth.is_full()]
"""The flows for tests that take a while each: at least one of every kind in every run, all of them in full runs."""


def surround(environment: pytest.MonkeyPatch, folder: Path) -> None:
    """Set what the flows of the suite expect: secrets, and a place for results in the folder."""
    environment.setenv("APPLIANCE_RESULTS_URL", (folder / "results").as_uri())
    for name, value in SECRETS.items():
        environment.setenv(name, value)
