"""Tools for testing flows without waiting, without a network, and with results in memory. The pytest fixtures are in `appliance.testing.plugin`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from appliance.testing.clock import StoppedClock, stopped_clock
from appliance.testing.logs import LogLines, log_lines
from appliance.testing.network import NetworkRefused, no_network

if TYPE_CHECKING:
    from appliance.testing.results import memory_results
    from appliance.testing.runs import assert_states, run_scheduled, run_task

__all__ = [
    "LogLines",
    "NetworkRefused",
    "StoppedClock",
    "assert_states",
    "log_lines",
    "memory_results",
    "no_network",
    "run_scheduled",
    "run_task",
    "stopped_clock",
]

# Loaded on first use: they import the engine, and pytest loads this package every time it starts.
_LAZY = {
    "assert_states": "appliance.testing.runs",
    "memory_results": "appliance.testing.results",
    "run_scheduled": "appliance.testing.runs",
    "run_task": "appliance.testing.runs",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'appliance.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
