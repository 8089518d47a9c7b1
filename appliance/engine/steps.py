"""The steps of a task run, in order. A step returns the next state or None for no change, and sets `run.ended` to stop there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from appliance.core import dealing, masking, retries
from appliance.core.async_functions import plain_value
from appliance.core.copies import SCALARS, own
from appliance.core.edge import Edge
from appliance.core.logs import get_logger
from appliance.core.signals import StateSignal
from appliance.core.states import (
    Cancelled,
    Failed,
    Finished,
    Looped,
    Mapped,
    Pending,
    Resume,
    Retrying,
    Running,
    Scheduled,
    Skipped,
    State,
    Success,
    TriggerFailed,
)
from appliance.core.task import Task
from appliance.core.triggers import all_successful, expanded, manual_only
from appliance.engine import calls, checkpoints, failures, flattening, overruns
from appliance.engine.deadlines import timed_out
from appliance.engine.task_run import Runner, TaskRun
from appliance.kit import clock

_logger = get_logger()


def check_stop(runner: Runner, run: TaskRun) -> State | None:
    """Once the flow run must stop, no further task starts, except for clean-up tasks."""
    if runner.should_stop() and not isinstance(run.state, Finished) and not run.task.runs_on_cancel:
        run.ended = True
        return Cancelled("The flow run was cancelled before this task started.")
    return None


def check_ready(runner: Runner, run: TaskRun) -> State | None:
    """Keep the outcome of an earlier attempt, except for parents of mapped tasks and results that can't be stored."""
    state = run.state
    if isinstance(state, Finished) and not isinstance(state, Mapped) and not run.task.always_rerun:
        run.ended = True
    elif isinstance(state, Finished | Running):
        run.state = Pending()  # the attempt that ran it no longer exists
    return None


def check_start_time(runner: Runner, run: TaskRun) -> State | None:
    """Wait for the time of a retry or the end of a pause. A pause without an end waits for a person."""
    state = run.state
    if not isinstance(state, Scheduled):
        return None
    if isinstance(state, Resume):
        run.resume = True
    elif not is_due(state):
        run.ended = True
    elif state.is_retrying() and overruns.alive:
        return _outlast_earlier_attempt(runner, run)
    elif state.is_paused():
        run.resume = True
    return None


def _outlast_earlier_attempt(runner: Runner, run: TaskRun) -> State | None:
    if overruns.outlast_earlier_attempt(run, runner.should_stop):
        return check_stop(runner, run)
    run.ended = True
    return timed_out("The last attempt has timed out and still runs, so the task is not retried.")


def check_upstream_finished(runner: Runner, run: TaskRun) -> State | None:
    """Stop here until all upstream tasks have finished."""
    for state in run.upstream.values():
        if not isinstance(state, Finished) or (
            isinstance(state, Mapped) and not all(s.is_finished() for s in state.map_states)
        ):
            run.ended = True
            run.state = Pending()
            break
    return None


def check_upstream_skipped(runner: Runner, run: TaskRun) -> State | None:
    """Skip a task downstream of a skipped one, unless it opts out. It can't opt out of a branch that was not taken."""
    task = run.task
    if not task.skip_on_upstream_skip or task.trigger is not all_successful:
        for edge, state in run.upstream.items():
            if edge.upstream_task.is_gate and isinstance(state, Skipped | Failed):
                run.ended = True
                return _untaken(edge, state)
    if not task.skip_on_upstream_skip:
        return None
    for edge, state in run.upstream.items():
        if isinstance(state, Skipped) or (
            isinstance(state, Mapped)
            and not edge.mapped
            and not edge.flattened
            and any(s.is_skipped() for s in state.map_states)
        ):
            run.ended = True
            if edge.upstream_task.is_gate:
                return _untaken(edge, state)
            return Skipped("Upstream task was skipped; set skip_on_upstream_skip=False on this task to run it anyway.")
    return None


def check_mappable(runner: Runner, run: TaskRun) -> State | None:
    """Determine the number of children of a mapped task."""
    run.ended = True
    widths: list[int] = []
    for edge, state in run.upstream.items():
        if not edge.mapped:
            continue
        name = edge.upstream_task.name
        if isinstance(state, Skipped):  # its element is skipped in every child; the others decide how many there are
            continue
        if not isinstance(state, Success):
            return TriggerFailed(f"Task {name!r} did not succeed, so its result can't be mapped over.")
        if isinstance(state, Mapped) and not edge.flattened:
            widths.append(state.n_map_states)
            continue
        try:
            widths.append(len(elements(state, edge)))
        except flattening.NothingToFlatten as error:
            return Failed(f"At least one upstream state has an unmappable result: {error}")
        except Exception:  # noqa: BLE001 - methods of a user's class; whatever they raise, the result can't be mapped over
            return Failed(
                f"At least one upstream state has an unmappable result: task {name!r} returned "
                f"{type(state.result).__name__}; {dealing.advice(state.result)}."
            )
    if not widths:
        return Skipped("All upstream tasks that this one is mapped over were skipped.")
    return Mapped("Ready to proceed with mapping.", n_map_states=min(widths))


def get_inputs(runner: Runner, run: TaskRun) -> State | None:
    """Collect the arguments of run(): constants, and the results of upstream tasks with a key. Each attempt has its own copy."""
    inputs = {key: own(value) for key, value in run.constants.items()} if run.constants else {}
    combines = run.task.auto_generated  # and changes nothing
    for edge, state in run.upstream.items():
        if edge.key is None:
            continue
        if edge.flattened and not edge.mapped:
            state = flattening.whole(state, edge.upstream_task.name)
            run.flat = {**run.flat, edge: state}
        value = state.result
        if type(value) not in SCALARS and not combines and not edge.upstream_task.shares_result:
            value = own(value)
        inputs[edge.key] = value
    if run.task.default_containers:
        inputs |= {key: own(value) for key, value in run.task.default_containers.items() if key not in inputs}
    run.inputs = inputs
    run.own_values = None
    run.artifacts = {}
    return None


def set_run_name(runner: Runner, run: TaskRun) -> State | None:
    """Set the readable name of the task run, from a template or a function of inputs and parameters."""
    template = run.task.task_run_name
    if template is None:
        return None
    values = checkpoints.names_of(run, but="task_run_name")
    try:
        name = plain_value("task_run_name", template(**values)) if callable(template) else template.format(**values)
        run.rendered_name = masking.mask(str(name))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - user code; a bad name must not fail the task
        _logger.warning("Task %s keeps its default name: %s", run, failures.summary(error))
    return None


def check_trigger(runner: Runner, run: TaskRun) -> State | None:
    """Check whether the upstream states allow the task to run. Custom triggers judge only what authors made the task wait for."""
    trigger = run.task.trigger
    upstream = {**run.upstream, **run.flat} if run.flat else run.upstream
    try:
        verdict = trigger(upstream if trigger is all_successful else _without_gates(upstream))
        if verdict is True or plain_value("The trigger", verdict):
            return None
        message = f'Trigger was "{getattr(trigger, "__name__", "custom")}" but it did not hold.'
        state: State = TriggerFailed(message)
    except StateSignal as signal:
        state = signal.state
        if trigger in (all_successful, manual_only) and isinstance(state, TriggerFailed):
            state = TriggerFailed(f"{state.message} {_culprits(upstream)}", signal)
        elif not isinstance(state, Finished | Scheduled) or isinstance(state, Looped | Mapped):
            state = TriggerFailed(
                f"The trigger raised {type(signal).__name__}, which only the task's own code can; return True or False, "
                "or raise TRIGGERFAIL, SKIP, or PAUSE.",
                signal,
            )
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - user code; the failure becomes the state of the task
        state = failures.failed_state(error, TriggerFailed)
    run.ended = True
    return state


def set_running(runner: Runner, run: TaskRun) -> State | None:
    """Set the state Running: the task's own code runs next."""
    return Running("Starting task run.", context={"task_run_count": run.task_run_count})


def call(runner: Runner, run: TaskRun) -> State | None:
    """Run the task's code, here or wherever the executor runs it, and take over the resulting state."""
    if not isinstance(run.state, Running):  # a handler replaced the state
        run.ended = True
        return None
    task = run.task
    output = runner.output if task.log_stdout is None else runner.outputs[task.log_stdout]
    if runner.invoke is None or task.auto_generated or task.runs_here:  # generated ones only combine values
        return calls.carry_out(task.run, run.inputs, task.timeout, output, run)
    return runner.invoke(calls.Invocation(task.run, run.inputs, task.timeout, output, run.snapshot()))


def call_and_keep(runner: Runner, run: TaskRun) -> State | None:
    """Run the task's code unless its outcome is already known. Store a success before anyone learns about it."""
    if run.existing is not None:
        return run.existing
    state = call(runner, run)
    return checkpoints.keep(runner, run, state) if type(state) is Success else state


def check_retry(runner: Runner, run: TaskRun) -> State | None:
    """Turn a failure into Retrying while there are retries left, and keep its reason."""
    state = run.state
    if not isinstance(state, Failed) or not retry_is_due(run, state):
        return None
    count, most = run.task_run_count, run.task.max_retries
    delay = run.task.retry_wait(count)
    _logger.warning(
        "Task %s failed in attempt %d of %d; retrying in %s: %s", run, count, most + 1, delay, state.message
    )
    return Retrying(
        f"Retrying Task (after attempt {count} of {most + 1}): {state.message}",
        start_time=clock.now() + delay,
        run_count=count,
        context={"task_run_count": count},
        data=state.data,
    )


def check_looping(runner: Runner, run: TaskRun) -> State | None:
    """After one round of a loop, start the next one as a fresh run, with this round's result in its context."""
    state = run.state
    if not isinstance(state, Looped):
        return None
    run.task_loop_count += 1
    run.task_loop_result = state.result
    run.task_run_count = 0  # begin_round counts the next round as attempt 1
    return Pending(f"Looping task (on loop index {run.task_loop_count}).", data={"loop_count": run.task_loop_count})


_INDEXED = (list, tuple, range, str, bytes)

RUN = (
    *(check_stop, check_ready, check_start_time, check_upstream_finished, check_upstream_skipped, get_inputs),
    *(set_run_name, check_trigger, set_running, call, check_retry, check_looping),
)
MAP = (check_stop, check_ready, check_upstream_finished, check_upstream_skipped, check_mappable)

# The same for runs that store results or have some from earlier attempts, so that others don't pay for it.
RUN_KEEPING = (
    *(check_stop, check_ready, check_start_time, check_upstream_finished, check_upstream_skipped),
    *(checkpoints.load_results, get_inputs, set_run_name, checkpoints.find_result, check_trigger),
    *(checkpoints.use_existing, set_running, call_and_keep, check_retry, check_looping),
)
MAP_KEEPING = (*MAP[:-1], checkpoints.load_mapped, check_mappable)


MOST_RESTARTS = 10_000
"""How often handlers, triggers and RETRY may start one task run over. Its max_retries and its own LOOP don't count."""


def begin_round(run: TaskRun) -> bool:
    """Whether another round follows at once: of a loop, or of a retry or a pause whose time has come. Counts it."""
    state = run.state
    if not run.task_run_count:
        run.task_run_count = 1
        return True
    if not is_due(state):
        return False
    if not isinstance(state, Retrying):
        run.restarts += 1
        return True
    if run.task_run_count > run.task.max_retries:
        run.restarts += 1
    run.task_run_count += 1
    return True


def endless(run: TaskRun) -> Failed:
    """The end of a task run that is started over again and again."""
    run.ended = True
    return Failed(
        f"The task was started over {MOST_RESTARTS:,} times in one run. Look for a state handler, a trigger or a RETRY that "
        "asks for another start every time."
    )


def is_due(state: State) -> bool:
    """Is this a retry, or a pause with an end, whose time has come?"""
    return isinstance(state, Scheduled) and state.start_time is not None and state.start_time <= clock.now()


def retry_is_due(run: TaskRun, state: Failed) -> bool:
    """May this failure be retried?"""
    return retries.is_due(run.task, run.task_run_count, state)


def elements(state: State, edge: Edge[Task]) -> Any:
    """The upstream result as something with a length and an index, from 0: of values, or of states if the edge is flattened.

    Raises TypeError, or whatever a user's class raises.
    """
    if edge.flattened:
        return flattening.elements(state, edge.upstream_task.name)
    values = state.result
    return values if type(values) in _INDEXED else dealing.in_order(values)


def _untaken(edge: Edge[Task], state: State) -> State:
    if isinstance(state, Failed):
        return TriggerFailed(
            f"It is not known whether the branch of this task is taken. Look at {edge.upstream_task.name!r}."
        )
    return Skipped("The branch that this task is in was not taken.")


def _without_gates(upstream: Mapping[Edge[Task], State]) -> Mapping[Edge[Task], State]:
    if not any(edge.upstream_task.is_gate for edge in upstream):
        return upstream
    return {edge: state for edge, state in upstream.items() if not edge.upstream_task.is_gate}


def _culprits(upstream: Mapping[Edge[Task], State]) -> str:
    for state in expanded(upstream):
        if isinstance(state, flattening.NotNested):
            return str(state.message)
    names = [
        edge.upstream_task.name for edge, state in upstream.items() if not state.is_successful() or state.is_mapped()
    ]
    first = ", ".join(repr(name) for name in names[:3])
    return f"Look at {first}{' and others' if len(names) > 3 else ''}."
