"""pytest fixtures for testing flows: `stopped_clock`, `no_network`, and `flow_log`. Nothing heavy is imported until one is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from appliance.testing.clock import StoppedClock
    from appliance.testing.logs import LogLines


@pytest.fixture
def stopped_clock() -> Iterator[StoppedClock]:
    """Time stands still and jumps ahead when the flow waits; see `appliance.testing.stopped_clock`."""
    from appliance.testing.clock import stopped_clock

    with stopped_clock() as clock:
        yield clock


@pytest.fixture
def no_network() -> Iterator[None]:
    """Network access raises an error; see `appliance.testing.no_network`."""
    from appliance.testing.network import no_network

    with no_network():
        yield


@pytest.fixture
def flow_log() -> Iterator[LogLines]:
    """The log lines of the test's runs; see `appliance.testing.LogLines`."""
    from appliance.testing.logs import log_lines

    with log_lines() as lines:
        yield lines
