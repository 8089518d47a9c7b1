"""Takes one task run through its life: a list of named steps, each of which may change its state."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from appliance.core import masking
from appliance.core.edge import Edge
from appliance.core.logs import get_logger
from appliance.core.run_context import FlowRunContext, current_task_run
from appliance.core.signals import StateSignal
from appliance.core.states import (
    Cancelled,
    Failed,
    Finished,
    Looped,
    Mapped,
    Queued,
    Resume,
    Retrying,
    Running,
    Scheduled,
    State,
    TriggerFailed,
)
from appliance.core.task import Task
from appliance.engine import checkpoints, failures, steps
from appliance.engine.calls import Invocation
from appliance.engine.output.streams import STDOUT, Streams
from appliance.engine.results.run_packs import RunPacks
from appliance.engine.task_run import Step, TaskRun
from appliance.kit import clock

_logger = get_logger()
_UNFINISHED = (Scheduled, Queued, Looped)
_UNCOUNTED = (Looped, Queued)  # other starts are counted where they begin


class TaskRunner:
    """Runs the tasks of one flow run. It holds no state about a single task, so threads may share it.

    A tracking subclass overrides `state_changed`, which is called once for each settled change, after the state handlers, in the
    thread of the task. The flow runner provides `should_stop`. `current_task_run` in core.run_context is set throughout.

    `invoke` runs the code of tasks elsewhere; if None, it runs in place. A run that ends in a retry or pause of at most `longest_wait`
    seconds stays in `waiting` until it is called again (see `due`). `kept` holds the last states of the tasks that are its keys, and `failures` the
    task runs that failed, the first one first.
    `outputs`, `output`, and `packs` are described in `task_run.Runner`.
    """

    outputs: tuple[Streams | None, Streams | None] = (None, (STDOUT,))
    output: Streams | None = None
    packs: RunPacks | None = None

    def __init__(
        self,
        context: FlowRunContext,
        slugs: Mapping[Task, str],
        constants: Mapping[Task, dict[str, Any]],
        should_stop: Callable[[], bool],
        initial_states: Mapping[tuple[str, int], State] | None = None,
    ) -> None:
        self.context = context
        self.slugs = slugs
        self.constants = constants
        self.should_stop = should_stop
        self.initial_states = initial_states or {}
        keeps = bool(self.initial_states) or checkpoints.needed(context, slugs)
        self.run_steps: tuple[Step, ...] = steps.RUN_KEEPING if keeps else steps.RUN
        self.map_steps: tuple[Step, ...] = steps.MAP_KEEPING if keeps else steps.MAP
        self.invoke: Callable[[Invocation], State] | None = None
        self.longest_wait = math.inf
        self.waiting: dict[tuple[str, int], TaskRun] = {}
        self.kept: dict[Task, State | None] = {}
        self.failures: list[tuple[str, int]] = []
        self._logs_all = _logger.isEnabledFor(logging.DEBUG)

    def state_changed(self, task_slug: str, map_index: int, old: State, new: State, run_count: int) -> None:
        """Hook: a task run has changed to `new`. A failure that will be retried appears only as Retrying, a loop round not at all."""

    def run(self, upstream: Mapping[Edge[Task], State], task: Task, map_index: int = -1) -> State:
        """Run a task, or one of its mapped children, until it ends or has to wait."""
        return self._run(upstream, task, map_index, self.run_steps)

    def run_mapped(self, upstream: Mapping[Edge[Task], State], task: Task) -> State:
        """Run the parent of a mapped task. It ends Mapped if it can have children."""
        return self._run(upstream, task, -1, self.map_steps)

    def due(self, state: State) -> datetime | None:
        """When to call the run that ended in `state` again with the same arguments, or None if not in this process."""
        if not isinstance(state, Scheduled | Queued) or state.start_time is None:
            return None
        left = (state.start_time - clock.now()).total_seconds()
        return state.start_time if left <= self.longest_wait else None

    def _run(
        self, upstream: Mapping[Edge[Task], State], task: Task, map_index: int, pipeline: tuple[Step, ...]
    ) -> State:
        run = self._start(upstream, task, map_index)
        token = current_task_run.set(run)
        try:
            while True:
                run.ended = False
                for step in pipeline:
                    new = step(self, run)
                    if new is not None:
                        self.change(run, new)
                    if run.ended:
                        break
                if not steps.begin_round(run):
                    break
        except KeyboardInterrupt:
            self.change(run, Cancelled("The task was interrupted."))
            raise
        finally:
            current_task_run.reset(token)
        if task in self.kept:
            self.kept[task] = run.state
        if not isinstance(run.state, Finished) and self.due(run.state) is not None:
            self.waiting[run.task_slug, map_index] = run
        return run.state

    def _start(self, upstream: Mapping[Edge[Task], State], task: Task, map_index: int) -> TaskRun:
        """The run that was waiting, or a new one with the state from an earlier attempt of the flow run."""
        slug = self.slugs[task]
        if self.waiting and (waiting := self.waiting.pop((slug, map_index), None)) is not None:
            steps.begin_round(waiting)
            return waiting
        run = TaskRun(self.context, task, slug, map_index, upstream, self.constants.get(task))
        earlier = self.initial_states.get((slug, map_index)) if self.initial_states else None
        if earlier is not None:
            run.state = run.reported = earlier
            run.resume = isinstance(earlier, Resume)
            run.task_run_count = earlier.context.get("task_run_count", 0) + 1 if earlier.is_retrying() else 1
            run.task_loop_count, run.task_loop_result = earlier.context.get("task_loop", (1, None))
        return run

    def change(self, run: TaskRun, new: State) -> None:
        """The one place where a task run changes its state: handlers first, then the hook."""
        if run.task.state_handlers:
            new = self._call_handlers(run, new)
        if isinstance(new, _UNFINISHED):
            if run.restarts >= steps.MOST_RESTARTS:
                new = steps.endless(run)
            elif isinstance(new, Scheduled):
                new = _for_next_attempt(run, new)
        new = masking.mask_state(new)
        run.state = new
        if isinstance(new, Looped) or (isinstance(new, Failed) and not run.ended and steps.retry_is_due(run, new)):
            return
        previous, run.reported = run.reported, new
        self.state_changed(run.task_slug, run.map_index, previous, new, run.task_run_count)
        if isinstance(new, TriggerFailed):
            _logger.info("Task %s was not run: %s", run, new.message)
        elif isinstance(new, Failed):
            self.failures.append((run.task_slug, run.map_index))
            trace = new.data.get("traceback")
            _logger.error("Task %s failed: %s%s", run, new.message, f"\n{trace}" if trace else "")
        elif self._logs_all and isinstance(new, Finished):
            _logger.debug("Task %s finished: %s", run, type(new).__name__)

    def _call_handlers(self, run: TaskRun, new: State) -> State:
        """The state as the handlers of the task want it."""
        old = run.state
        for handler in run.task.state_handlers:
            try:
                result = handler(run.task, old, new)
            except StateSignal as signal:
                result = signal.state
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - user code; the failure becomes the state of the task
                result = failures.handler_failure(error)
                run.ended = True
            if result is not None and result is not new:
                if not isinstance(result, State):
                    result = failures.invalid_handler_result(handler, result)
                elif not _is_possible(result, new, old):
                    result = failures.impossible_handler_result(handler, result)
                new = result
                run.restarts += isinstance(new, _UNCOUNTED)
        return new


def _is_possible(chosen: State, new: State, old: State) -> bool:
    """May a handler choose this state? A loop goes on after the task's code has run, and only a mapped task has children."""
    if isinstance(chosen, Looped):
        return isinstance(old, Running | Failed)
    return isinstance(new, Mapped) or not isinstance(chosen, Mapped)


def _for_next_attempt(run: TaskRun, new: Scheduled) -> Scheduled:
    """With what the next attempt continues from, which may be in another process: the count of tries, and the round of a loop."""
    if isinstance(new, Retrying) and "task_run_count" not in new.context:  # a handler wants the retry
        count = run.task_run_count
        new = replace(new, run_count=count, context={**new.context, "task_run_count": count})
    if run.task_loop_count > 1:
        new = replace(new, context={**new.context, "task_loop": (run.task_loop_count, run.task_loop_result)})
    return new
