"""Where the tasks of a run do their work."""

from appliance.engine.executors.executor import Executor
from appliance.engine.executors.local import LocalExecutor
from appliance.engine.executors.threads import ThreadExecutor

__all__ = ["Executor", "LocalExecutor", "ThreadExecutor"]
