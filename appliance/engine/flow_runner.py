"""Takes one flow run from its first state to its last: submits the tasks to the executor in order, then determines the outcome."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from appliance.core import copies, masking, parameter_types
from appliance.core.edge import Edge
from appliance.core.flow import Flow
from appliance.core.logs import get_logger
from appliance.core.run_context import FlowRunContext, current_flow_run, stop_requested
from appliance.core.signals import StateSignal
from appliance.core.states import (
    Cancelled,
    Failed,
    Finished,
    Mapped,
    Paused,
    Pending,
    Retrying,
    Running,
    Scheduled,
    State,
    Success,
)
from appliance.core.task import Task
from appliance.engine import failures, overruns, steps, thread_context
from appliance.engine.deadlines import TaskTimeout
from appliance.engine.executors.executor import Executor, ExecutorError, Handle, reduced
from appliance.engine.executors.local import LocalExecutor
from appliance.engine.failed_runs import failed_run
from appliance.engine.results import addresses
from appliance.engine.task_runner import TaskRunner
from appliance.kit import clock, ids

_logger = get_logger()


class FlowRunner:
    """Runs a flow once. `run()` returns the final state, whose result is `{task: state}`.

    All hooks for a tracking subclass:
    - `state_changed(old, new)`: called after each state change of the flow run, after its state handlers.
    - `make_task_runner()`: the TaskRunner to use; its own hook is `TaskRunner.state_changed(slug, map_index, old, new, run_count)`.
    - `should_stop()`: called before each task, possibly from other threads, so it must be cheap. True cancels all tasks not yet started.
    - `initial_task_states`: {(slug, map_index): state} of an earlier attempt. Finished tasks are not run again.
    - `running_with_backend`: whether a server tracks the run, as the context says.
    - `checkpointing`: whether results are stored wherever there is a place, even if authors didn't ask for it.
    - `longest_wait`: how many seconds this process waits for a retry or the end of a pause; for longer waits it ends.
    """

    longest_wait: float = math.inf
    checkpointing: bool = False
    running_with_backend: bool = False

    def __init__(
        self,
        flow: Flow,
        executor: Executor | None = None,
        parameters: Mapping[str, Any] | None = None,
        *,
        context: Mapping[str, Any] | None = None,
        flow_run_id: str | None = None,
        flow_run_name: str | None = None,
        scheduled_start_time: datetime | None = None,
        initial_task_states: Mapping[tuple[str, int], State] | None = None,
    ) -> None:
        """Raises ParameterError for invalid parameters or times in the context, CycleError for a graph that can't run and ResultError
        for an invalid place for results."""
        flow.validate()
        self.flow = flow
        self.executor: Executor = executor or flow.executor or LocalExecutor()
        self.initial_task_states = dict(initial_task_states or {})
        self.context = FlowRunContext(
            flow_name=flow.name,
            parameters=parameter_types.resolve(flow, parameters or {}),
            flow_run_id=flow_run_id or str(ids.uuid7()),
            flow_run_name=flow_run_name or ids.readable_name(),
            scheduled_start_time=scheduled_start_time or clock.now(),
            extra=copies.own(dict(context or {})),
            checkpointing=self.checkpointing or addresses.checkpointing(),
            running_with_backend=self.running_with_backend,
            result=flow.result if flow.result is not None else addresses.default_result(),
        )
        self.state: State = Pending()
        self.stopped = False

    # --- hooks

    def state_changed(self, old: State, new: State) -> None:
        """Hook: the flow run has changed to `new`."""

    def should_stop(self) -> bool:
        """Hook: must the run stop?"""
        return False

    def make_task_runner(self) -> TaskRunner:
        """Hook: the runner for the tasks."""
        return TaskRunner(
            self.context, self.flow.slugs, self.flow.constants, self.stop_requested, self.initial_task_states
        )

    # --- the run

    def run(self) -> State:
        """Run the flow to its end. If all remaining tasks wait for a person or for longer than `longest_wait`, the state is Paused, or
        Retrying with the time to continue; the next attempt starts from the `earlier_states` of its result."""
        thread_context.follow()
        token, stop_token = current_flow_run.set(self.context), stop_requested.set(self.stop_requested)
        try:
            self.change(Running("Running flow."))
            if not isinstance(self.state, Running):
                return self.state
            final = self._run_tasks()
            if final is not self.state:
                self.change(final)
            return self.state
        finally:
            current_flow_run.reset(token)
            stop_requested.reset(stop_token)

    def change(self, new: State) -> None:
        """The one place where the flow run changes its state: handlers first, then the hook."""
        old = self.state
        for handler in self.flow.state_handlers:
            new = self._call_handler(partial(handler, self.flow), old, new)
        new = masking.mask_state(new)
        self.state = new
        self.state_changed(old, new)

    def stop_requested(self) -> bool:
        """Has a stop been requested? Once True, it stays True."""
        if not self.stopped and self.should_stop():
            self.stopped = True
        return self.stopped

    def _call_handler(self, call: Callable[[State, State], State | None], old: State, new: State) -> State:
        try:
            result = call(old, new)
        except StateSignal as signal:
            return signal.state
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - user code; the failure becomes the state of the flow
            state = failures.handler_failure(error)
            _logger.error("Flow %r: %s\n%s", self.flow.name, state.message, state.data.get("traceback"))
            return Failed(state.message, new.result, data=state.data)
        if result is None:
            return new
        if isinstance(result, State):
            return result
        return Failed(failures.invalid_handler_result(call, result).message, new.result)

    def _run_tasks(self) -> State:
        tasks = self.make_task_runner()
        tasks.longest_wait = self.longest_wait
        if self.flow.log_stdout is not None:
            tasks.output = tasks.outputs[self.flow.log_stdout]
        tasks.kept = dict.fromkeys(_feeding_cleanup(self.flow))
        try:
            with self.executor.open(tasks.due) as pool:
                tasks.invoke = pool.invoke
                states = self._pass_over(_Pass(self.flow, pool, tasks))
        except KeyboardInterrupt:
            self.stopped = True
            self._clean_up(tasks)
            return Cancelled("The flow run was interrupted.")
        except ExecutorError as error:
            return self._without_executor(error)
        finally:
            if overruns.alive:
                overruns.report(self.context)
        final = self._judge(states, tasks.failures)
        if not isinstance(final, Finished):  # resources set up in this process don't last until the next attempt
            self._clean_up(tasks)
        return final

    def _pass_over(self, pass_: _Pass) -> dict[Task, State]:
        try:
            pass_.submit_all()
            return pass_.collect()
        except (KeyboardInterrupt, TaskTimeout):  # the latter of a task that runs this flow
            self.stopped = True  # before the executor shuts down, so that it starts no more tasks
            raise

    def _without_executor(self, error: ExecutorError) -> State:
        """The final state of a run whose executor can't start."""
        states: dict[Task, State] = dict.fromkeys(self.flow.sorted_tasks(), Pending("The executor could not start."))
        return self._ended(Failed(str(error), states, data=failures.describe(error.__cause__ or error)), states)

    def _clean_up(self, tasks: TaskRunner) -> None:
        """After an interrupt, run the clean-up tasks that have not run yet, in this process, with the latest upstream states."""
        tasks.invoke = None
        for task in self.flow.sorted_tasks():
            if task.runs_on_cancel and not isinstance(tasks.kept[task], Finished):
                tasks.run({edge: _final(tasks.kept[edge.upstream_task]) for edge in self.flow.edges_to(task)}, task)

    def _judge(self, states: dict[Task, State], failures: Sequence[tuple[str, int]]) -> State:
        """The final state, from the states of the reference tasks. `failures` has the task runs that failed, the first one first."""
        if self.stopped and any(isinstance(state, Cancelled) for state in _with_children(states.values())):
            return Cancelled("The flow run was cancelled.", states)
        unfinished = [
            task for task in states if not all(isinstance(s, Finished) for s in _with_children([states[task]]))
        ]
        if unfinished:
            return self._unfinished(states, unfinished)
        keys = _with_children(states[task] for task in self.flow.reference_tasks())
        if any(isinstance(state, Failed) for state in keys):
            final: State = failed_run(self.flow, states, failures)
        elif all(isinstance(state, Success) for state in keys):
            final = Success("All reference tasks succeeded.", states)
        else:
            final = Success("No reference tasks failed.", states)
        return self._ended(final, states)

    def _ended(self, final: State, states: Mapping[Task, State]) -> State:
        handler = self.flow.terminal_state_handler
        if handler is not None:
            key_states = {task: states[task] for task in self.flow.reference_tasks()}
            final = self._call_handler(lambda _old, new: handler(self.flow, new, key_states), self.state, final)
        return final

    def _unfinished(self, states: dict[Task, State], unfinished: list[Task]) -> State:
        waiting = [
            (task.name, state)
            for task in unfinished
            for state in _with_children([states[task]])
            if state.is_scheduled()
        ]
        paused = [name for name, state in waiting if state.is_paused()]
        names = ", ".join(repr(name) for name in dict.fromkeys(paused or [name for name, _ in waiting]))
        times = [
            state.start_time for _, state in waiting if isinstance(state, Scheduled) and state.start_time is not None
        ]
        if paused:
            return Paused(
                f"The flow has not finished: {names} is paused and waits for a person.",
                states,
                start_time=min(times, default=None),
            )
        if times:
            return Retrying(
                f"The flow has not finished: {names} will be retried at {clock.isoformat(min(times))}.",
                states,
                start_time=min(times),
            )
        return Failed(
            f"The flow can't finish: task {unfinished[0].name!r} was left in state {states[unfinished[0]]!r}.", states
        )


def _feeding_cleanup(flow: Flow) -> set[Task]:
    """The clean-up tasks that run after an interrupt, and the tasks whose states they need."""
    return {
        member
        for task in flow.slugs
        if task.runs_on_cancel
        for member in (task, *(edge.upstream_task for edge in flow.edges_to(task)))
    }


def _final(state: State | None) -> State:
    """The state of a task as its clean-up tasks receive it."""
    return state if isinstance(state, Finished) else Cancelled("The task did not end before the run stopped.")


def earlier_states(flow: Flow, states: Mapping[Task, State]) -> dict[tuple[str, int], State]:
    """The states of an unfinished run as another run's `initial_task_states`."""
    by_key = {}
    for task, state in states.items():
        slug = flow.slugs[task]
        by_key[slug, -1] = state
        if isinstance(state, Mapped):
            by_key |= {(slug, index): child for index, child in enumerate(state.map_states)}
    return by_key


class _Pass:
    """One pass over the tasks: the submitted calls, and their outcomes."""

    def __init__(self, flow: Flow, executor: Executor, runner: TaskRunner) -> None:
        self.flow, self.executor, self.runner = flow, executor, runner
        self.handles: dict[Task, Handle] = {}  # of mapped tasks: the state of the parent
        self.children: dict[Task, list[Handle]] = {}

    def submit_all(self) -> None:
        """Submit every task after the tasks that it waits for."""
        submit, run, handles, children = self.executor.submit, self.runner.run, self.handles, self.children
        for task in _mapped_late(self.flow) if self.executor.parallel else self.flow.sorted_tasks():
            edges = self.flow.edges_to(task)
            if any(edge.mapped for edge in edges):
                self._submit_mapped(task, edges)
                continue
            upstream = {edge: children.get(edge.upstream_task, handles[edge.upstream_task]) for edge in edges}
            handles[task] = submit(run, upstream, task)

    def _submit_mapped(self, task: Task, edges: Sequence[Edge[Task]]) -> None:
        """Run the parent now, because the number of children must be known; then submit one child per element."""
        linked = [edge for edge in edges if edge.mapped and not edge.flattened and edge.upstream_task in self.children]
        others = [edge for edge in edges if edge not in linked]
        upstream: dict[Edge[Task], State] = {edge: self.handles[edge.upstream_task] for edge in linked}
        upstream |= {edge: self._whole(edge.upstream_task) for edge in others}
        # In this thread: no child must start before the tasks downstream of it have been submitted.
        parent = self.runner.run_mapped(upstream, task)
        while (at := self.runner.due(parent)) is not None:  # a state handler postponed it
            clock.sleep_until(at)
            parent = self.runner.run_mapped(upstream, task)
        self.handles[task] = parent
        if not isinstance(parent, Mapped):
            return
        dealt = {edge for edge in others if edge.mapped and not upstream[edge].is_skipped()}
        elements = {edge: steps.elements(upstream[edge], edge) for edge in others if edge in dealt}
        whole = {edge: upstream[edge] for edge in others if edge not in dealt}
        children = []
        for index in range(parent.n_map_states):
            handles: dict[Edge[Task], Handle] = dict(whole)
            for edge in linked:
                handles[edge] = self.children[edge.upstream_task][index]
            for edge, values in elements.items():
                handles[edge] = values[index] if edge.flattened else Success(result=values[index])
            children.append(self.executor.submit(self.runner.run, handles, task, index, map_index=index))
        self.children[task] = children

    def _whole(self, task: Task) -> State:
        """The state of a task once it is done, including all children if it is mapped."""
        if task in self.children:
            return reduced(self.executor.wait(self.children[task]))
        return self.executor.wait([self.handles[task]])[0]

    def collect(self) -> dict[Task, State]:
        """Wait for everything: for children index by index, so that mapped chains run depth-first."""
        pending = list(self.children.values())
        deepest = max(map(len, pending), default=0)
        self.executor.wait(
            [
                *(handle for task, handle in self.handles.items() if task not in self.children),
                *(children[index] for index in range(deepest) for children in pending if index < len(children)),
            ]
        )
        states: dict[Task, State] = {}
        for task, handle in self.handles.items():
            children = self.children.get(task)
            if children is None:
                states[task] = self.executor.wait([handle])[0]
                continue
            outcomes = self.executor.wait(children)
            results = [state.result for state in outcomes]
            states[task] = Mapped(handle.message, results, handle.context, handle.data, outcomes, len(outcomes))
        return states


def _mapped_late(flow: Flow) -> Iterator[Task]:
    """An order in which mapped tasks come as late as possible, because submitting their children waits for their upstream tasks."""
    tasks = flow.sorted_tasks()
    missing = {task: len(flow.edges_to(task)) for task in tasks}
    plain, mapped = deque[Task](), deque[Task]()

    def ready(task: Task) -> None:
        (mapped if any(edge.mapped for edge in flow.edges_to(task)) else plain).append(task)

    for task in tasks:
        if not missing[task]:
            ready(task)
    while plain or mapped:
        task = (plain or mapped).popleft()
        yield task
        for edge in flow.edges_from(task):
            missing[edge.downstream_task] -= 1
            if not missing[edge.downstream_task]:
                ready(edge.downstream_task)


def _with_children(states: Any) -> list[State]:
    flat: list[State] = []
    for state in states:
        if isinstance(state, Mapped):
            flat.extend(state.map_states)
        else:
            flat.append(state)
    return flat
