"""Appliance: write a flow, run it, register it. This is the SDK's front door; it stays light to import."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from appliance.core import signals, states, triggers
from appliance.core.annotations import flatten, mapped, unmapped
from appliance.core.context import context, tags
from appliance.core.control import case, merge, switch
from appliance.core.flow import Flow
from appliance.core.logs import get_logger
from appliance.core.parameter import Parameter
from appliance.core.run_config import LocalRun, UniversalRun
from appliance.core.schedules import CronClock, CronSchedule, IntervalClock, IntervalSchedule, Schedule
from appliance.core.task import Task, task
from appliance.core.triggers import (
    all_failed,
    all_finished,
    all_successful,
    always_run,
    any_failed,
    any_successful,
    manual_only,
    not_all_skipped,
    some_failed,
    some_successful,
)
from appliance.core.version import VERSION as __version__

if TYPE_CHECKING:
    from appliance.engine import executors
    from appliance.engine.executors import LocalExecutor, ThreadExecutor

__all__ = [
    "CronClock",
    "CronSchedule",
    "Flow",
    "IntervalClock",
    "IntervalSchedule",
    "LocalExecutor",
    "LocalRun",
    "Parameter",
    "Schedule",
    "Task",
    "ThreadExecutor",
    "UniversalRun",
    "__version__",
    "all_failed",
    "all_finished",
    "all_successful",
    "always_run",
    "any_failed",
    "any_successful",
    "case",
    "context",
    "executors",
    "flatten",
    "get_logger",
    "manual_only",
    "mapped",
    "merge",
    "not_all_skipped",
    "signals",
    "some_failed",
    "some_successful",
    "states",
    "switch",
    "tags",
    "task",
    "triggers",
    "unmapped",
]


# Loaded only by those who name one or run a flow, so that importing the SDK stays cheap.
_LAZY = {
    "executors": "appliance.engine.executors",
    "LocalExecutor": "appliance.engine.executors.local",
    "ThreadExecutor": "appliance.engine.executors.threads",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'appliance' has no attribute {name!r}")
    module = importlib.import_module(_LAZY[name])
    return module if name == "executors" else getattr(module, name)
