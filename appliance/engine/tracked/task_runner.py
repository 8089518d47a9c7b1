"""The task runner that reports every settled change of a task run."""

from __future__ import annotations

from typing import Any

from appliance.core.context import current_task_run
from appliance.core.states import Running, State
from appliance.engine.task_runner import TaskRun, TaskRunner
from appliance.engine.tracked import loops
from appliance.engine.tracked.reporter import Reporter
from appliance.kit import crash


class TrackedTaskRunner(TaskRunner):
    """Knows, besides, which task runs are at work: those are the ones to cancel when their threads can't be interrupted."""

    def __init__(self, reporter: Reporter, *args: Any) -> None:
        super().__init__(*args)
        self._reporter = reporter
        self.running: dict[tuple[str, int], int] = {}

    def state_changed(self, task_slug: str, map_index: int, old: State, new: State, run_count: int) -> None:
        if isinstance(new, Running):
            self.running[task_slug, map_index] = run_count
            crash.point("runner.task.before")
        else:
            self.running.pop((task_slug, map_index), None)
            crash.point("runner.task.after")
        run = current_task_run.get()
        if "task_loop" in new.context and isinstance(run, TaskRun):
            new = loops.stored(new, run)
        self._reporter.task_state(task_slug, map_index, new, run_count, None if run is None else run.task_run_name)
