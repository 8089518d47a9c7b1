"""Executors: where the tasks of a run are executed."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from appliance.engine.executors.executor import Executor
from appliance.engine.executors.local import LocalExecutor
from appliance.engine.executors.threads import ThreadExecutor

if TYPE_CHECKING:
    from appliance.engine.executors.dask import DaskExecutor
    from appliance.engine.executors.processes import ProcessExecutor

__all__ = ["DaskExecutor", "Executor", "LocalExecutor", "ProcessExecutor", "ThreadExecutor"]

# Loaded on first use, because every flow run imports this package.
_LAZY = {
    "DaskExecutor": "appliance.engine.executors.dask",
    "ProcessExecutor": "appliance.engine.executors.processes",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
