"""Where the tasks of a run are executed. To import from, as in `from appliance.executors import ...`."""

from appliance.engine.executors import DaskExecutor, Executor, LocalExecutor, ProcessExecutor, ThreadExecutor

__all__ = ["DaskExecutor", "Executor", "LocalExecutor", "ProcessExecutor", "ThreadExecutor"]
