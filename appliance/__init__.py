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
from appliance.core.version import VERSION as __version__

if TYPE_CHECKING:
    from appliance.engine import executors

__all__ = [
    "CronClock",
    "CronSchedule",
    "Flow",
    "IntervalClock",
    "IntervalSchedule",
    "LocalRun",
    "Parameter",
    "Schedule",
    "Task",
    "UniversalRun",
    "__version__",
    "case",
    "context",
    "executors",
    "flatten",
    "get_logger",
    "mapped",
    "merge",
    "signals",
    "states",
    "switch",
    "tags",
    "task",
    "triggers",
    "unmapped",
]


def __getattr__(name: str) -> Any:
    if name == "executors":  # the engine is loaded only by those who name an executor or run a flow
        return importlib.import_module("appliance.engine.executors")
    raise AttributeError(f"module 'appliance' has no attribute {name!r}")
