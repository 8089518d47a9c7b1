"""The flow runner that reports to the server and can be cancelled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from appliance.core.flow import Flow
from appliance.core.logs import get_logger
from appliance.core.states import Cancelled, Failed, Finished, Scheduled, State, Success
from appliance.engine import checkpoints
from appliance.engine.flow_runner import FlowRunner
from appliance.engine.results.run_packs import RunPacks
from appliance.engine.task_runner import TaskRunner
from appliance.engine.tracked import earlier
from appliance.engine.tracked.child_runs import TrackedChildren
from appliance.engine.tracked.logs import RunLog
from appliance.engine.tracked.reporter import Reporter
from appliance.engine.tracked.slots import TaskSlots
from appliance.engine.tracked.task_runner import TrackedTaskRunner
from appliance.kit.plurals import counted
from appliance.protocol.reuse import TaskKey
from appliance.protocol.run_protocol import EarlierTask

_logger = get_logger()


class TrackedFlowRunner(FlowRunner):
    """Can be cancelled with `cancel(reason)` from any thread. The caller must also interrupt the main thread."""

    running_with_backend = True
    checkpointing = True  # a restart continues with the results of successful tasks

    def __init__(self, flow: Flow, reporter: Reporter, **options: Any) -> None:
        super().__init__(flow, **options)
        self._reporter = reporter
        self.packs = reporter.packs = RunPacks(self.context.flow_run_id or "", f"attempt-{reporter.attempt}")
        self._reason: str | None = None
        self._tasks: TrackedTaskRunner | None = None
        self.slots: TaskSlots | None = None
        """If set, tasks with limited tags request slots before they run."""
        self.children: TrackedChildren | None = None
        """If set, tasks that start flows get their children there."""
        self.log: RunLog | None = None
        """If set, it learns which tasks run."""
        self.final: State | None = None  # reported by the caller, as the very last event

    def go_on_from(self, tasks: Iterable[EarlierTask]) -> None:
        """Start from the outcomes of earlier attempts of the run. Raises RepeatError."""
        known, repeated = list(tasks), set[TaskKey]()
        self.initial_task_states = earlier.initial_states(
            self.flow, known, lambda task: checkpoints.place_of(task, self.context), repeated
        )
        earlier.refuse_repeats(self.flow, known, self.initial_task_states, repeated)
        sentence = earlier.repeats_in_words(self.flow, repeated)
        if sentence:
            _logger.warning("%s", sentence)

    def cancel(self, reason: str) -> None:
        """Start no more tasks and end Cancelled, with `reason` as the message."""
        if self._reason is None:
            self._reason = reason

    def should_stop(self) -> bool:
        return self._reason is not None

    def state_changed(self, old: State, new: State) -> None:
        if not isinstance(new, Finished | Scheduled):
            return  # the server set the run Running when it allowed it to begin
        if isinstance(new, Scheduled) and self.should_stop():
            new = Cancelled(result=new.result)  # a cancelled run doesn't wait for retries or pauses
        if isinstance(new, Cancelled):
            self._cancel_running_tasks()
            new = Cancelled(self._reason or new.message, new.result)
        lost = self.packs.close()
        if isinstance(new, Success) and lost.required:
            number = counted(len(lost.required), "result")
            new = Failed(f"{number} could not be stored: {lost.reason} Restart the run to try it again.", new.result)
        self.final = new

    def make_task_runner(self) -> TaskRunner:
        context, flow = self.context, self.flow
        self._tasks = TrackedTaskRunner(
            self._reporter, context, flow.slugs, flow.constants, self.stop_requested, self.initial_task_states
        )
        self._tasks.packs = self.packs
        if self.children is not None:  # first: a task that waits for its child takes no slot meanwhile
            self._tasks.start_children(self.children)
        if self.slots is not None:
            self._tasks.limit(self.slots)
        if self.log is not None:
            self._tasks.write_to(self.log)
        if flow.strict_tracking:
            self._tasks.be_strict()
        elif any(task.never_repeat for task in flow.tasks):
            self._tasks.be_strict_about_some()
        return self._tasks

    def _cancel_running_tasks(self) -> None:
        """Report tasks in other threads as Cancelled: they can't be interrupted, but end with the process."""
        tasks = self._tasks
        if tasks is not None:
            for (slug, map_index), run_count in list(tasks.running.items()):
                self._reporter.task_state(slug, map_index, Cancelled("The task was stopped with its run."), run_count)
