"""The task runner that reports every settled change of a task run."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from appliance.core.run_context import current_task_run
from appliance.core.states import Cancelled, Running, State
from appliance.engine import steps
from appliance.engine.output.streams import BOTH, Streams
from appliance.engine.task_run import Runner, TaskRun
from appliance.engine.task_runner import TaskRunner
from appliance.engine.tracked import loops
from appliance.engine.tracked.child_runs import TrackedChildren, gives_back
from appliance.engine.tracked.logs import RunLog
from appliance.engine.tracked.reporter import Reporter
from appliance.engine.tracked.slots import TaskSlots
from appliance.kit import crash


class TrackedTaskRunner(TaskRunner):
    """Also tracks which task runs are running, because they must be reported Cancelled if their threads can't be interrupted."""

    outputs: tuple[Streams | None, Streams | None] = ((), BOTH)
    output: Streams | None = BOTH

    def __init__(self, reporter: Reporter, *args: Any) -> None:
        super().__init__(*args)
        self._reporter = reporter
        self.running: dict[tuple[str, int], int] = {}
        self._slots: TaskSlots | None = None
        self._log: RunLog | None = None

    def write_to(self, log: RunLog) -> None:
        """From now on, tell the log which tasks run, and let it decide about the output of tasks that don't say."""
        self._log = log
        self.output = self.outputs[log.logs_output]

    def limit(self, slots: TaskSlots) -> None:
        """From now on, tasks with limited tags request slots before they run."""
        self._slots = slots
        at = self.run_steps.index(steps.set_running)
        self.run_steps = (*self.run_steps[:at], slots.take, *self.run_steps[at:])

    def start_children(self, children: TrackedChildren) -> None:
        """From now on, tasks that start flows wait for their children before they run."""
        at = self.run_steps.index(steps.set_running)
        self.run_steps = (*self.run_steps[:at], children.follow, *self.run_steps[at:])

    def due(self, state: State) -> datetime | None:
        """A task run that gives the place of its run back goes on in the next attempt."""
        return None if gives_back(state) else super().due(state)

    def be_strict(self) -> None:
        """From now on, the server must acknowledge that a task is Running before its code runs."""
        at = self.run_steps.index(steps.set_running) + 1
        self.run_steps = (*self.run_steps[:at], self._acknowledge, *self.run_steps[at:])

    def be_strict_about_some(self) -> None:
        """The same for tasks that are marked never_repeat, so that no later attempt can miss that they have begun."""
        at = self.run_steps.index(steps.set_running) + 1
        self.run_steps = (*self.run_steps[:at], self._acknowledge_some, *self.run_steps[at:])

    def _acknowledge_some(self, runner: Runner, run: TaskRun) -> State | None:
        return self._acknowledge(runner, run) if run.task.never_repeat else None

    def _acknowledge(self, _runner: Runner, run: TaskRun) -> State | None:
        """A step: wait for the server, even while it can't be reached, unless the run must stop."""
        if not isinstance(run.state, Running) or self._reporter.settle(math.inf, self.should_stop):
            return None
        run.ended = True
        return Cancelled("The flow run was cancelled before this task started.")

    def state_changed(self, task_slug: str, map_index: int, old: State, new: State, run_count: int) -> None:
        run, log = current_task_run.get(), self._log
        if isinstance(new, Running):
            self.running[task_slug, map_index] = run_count
            if log is not None and isinstance(run, TaskRun):
                choice = run.task.log_stdout
                log.task_starts(run, bool(self.output if choice is None else choice))
            crash.point("runner.task.before")
        else:
            self.running.pop((task_slug, map_index), None)
            if log is not None:
                log.task_ends(task_slug, map_index)
            crash.point("runner.task.after")
        if "task_loop" in new.context and isinstance(run, TaskRun):
            new = loops.store(new, run, self.packs)
        freed = self._slots is not None and self._slots.release(task_slug, map_index, new)
        if (old.data or new.data) and loops.is_quiet(old, new):
            return
        name = None if run is None else run.rendered_name
        self._reporter.task_state(task_slug, map_index, new, run_count, name, freed)
