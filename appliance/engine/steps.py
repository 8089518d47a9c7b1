"""The steps of a task run, in order. A step returns the next state or None for no change, and sets `run.ended` to stop there."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from itertools import chain
from typing import Any

from appliance.core import masking
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
from appliance.core.triggers import all_successful
from appliance.engine import calls, checkpoints, failures
from appliance.engine.task_run import Runner, TaskRun
from appliance.kit import clock

_logger = get_logger()


def check_stop(runner: Runner, run: TaskRun) -> State | None:
    """A task that has not started when the flow run is to stop never does, unless it tidies up."""
    if runner.should_stop() and not isinstance(run.state, Finished) and not run.task.runs_on_cancel:
        run.ended = True
        return Cancelled("The flow run was cancelled before this task started.")
    return None


def check_ready(runner: Runner, run: TaskRun) -> State | None:
    """What an earlier attempt finished stays as it is, except parents of mapped tasks and results that can't be kept."""
    state = run.state
    if isinstance(state, Finished) and not isinstance(state, Mapped) and not run.task.always_rerun:
        run.ended = True
    elif isinstance(state, Finished | Running):
        run.state = Pending()  # the attempt that ran it is gone
    return None


def check_start_time(runner: Runner, run: TaskRun) -> State | None:
    """The time of a retry or of a pause must have come; a pause without a time waits for a person."""
    state = run.state
    if not isinstance(state, Scheduled) or isinstance(state, Resume):
        return None
    if not is_due(state):
        run.ended = True
    elif state.is_paused():
        run.resume = True
    return None


def check_upstream_finished(runner: Runner, run: TaskRun) -> State | None:
    """Without the upstream tasks there is nothing to do yet."""
    for state in run.upstream.values():
        if not isinstance(state, Finished) or (
            isinstance(state, Mapped) and not all(s.is_finished() for s in state.map_states)
        ):
            run.ended = True
            run.state = Pending()
            break
    return None


def check_upstream_skipped(runner: Runner, run: TaskRun) -> State | None:
    """What comes after a skipped task is skipped too, unless the task wants otherwise."""
    if not run.task.skip_on_upstream_skip:
        return None
    for edge, state in run.upstream.items():
        if isinstance(state, Skipped) or (
            isinstance(state, Mapped) and not edge.mapped and any(s.is_skipped() for s in state.map_states)
        ):
            run.ended = True
            return Skipped(
                "Upstream task was skipped; set skip_on_upstream_skip=False on this task to run it all the same."
            )
    return None


def check_mappable(runner: Runner, run: TaskRun) -> State | None:
    """The parent of a mapped task: how many children will there be?"""
    run.ended = True
    widths: list[int] = []
    for edge, state in run.upstream.items():
        if not edge.mapped:
            continue
        name = edge.upstream_task.name
        if not isinstance(state, Success):
            return TriggerFailed(f"Task {name!r}, whose result is to be mapped over, did not succeed.")
        if isinstance(state, Mapped) and not edge.flattened:
            widths.append(state.n_map_states)
            continue
        try:
            values = elements(state, edge)
        except Exception:  # noqa: BLE001 - methods of a user's class; whatever they raise, it can't be mapped over
            return Failed(
                f"At least one upstream state has an unmappable result: task {name!r} returned "
                f"{type(state.result).__name__}; return a list."
            )
        widths.append(len(values))
    if not widths:
        return Failed("No upstream states can be mapped over.")
    return Mapped("Ready to proceed with mapping.", n_map_states=min(widths))


def get_inputs(runner: Runner, run: TaskRun) -> State | None:
    """The arguments of run(): constants and the results of keyed upstream tasks."""
    inputs = dict(run.constants) if run.constants else {}
    for edge, state in run.upstream.items():
        if edge.key is not None:
            inputs[edge.key] = (
                flat(state.result) if edge.flattened and not edge.mapped and state.is_successful() else state.result
            )
    run.inputs = inputs
    return None


def set_run_name(runner: Runner, run: TaskRun) -> State | None:
    """The readable name of the task run, from a template or a function over inputs and parameters."""
    template = run.task.task_run_name
    if template is None:
        return None
    values = checkpoints.names_of(run)
    try:
        name = template(**values) if callable(template) else template.format(**values)
        run.task_run_name = masking.mask(str(name))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - user code; a bad name must not fail the task
        _logger.warning("Task %s keeps its plain name: %s", run, failures.summary(error))
    return None


def check_trigger(runner: Runner, run: TaskRun) -> State | None:
    """Do the upstream states let the task run?"""
    trigger = run.task.trigger
    try:
        if trigger(run.upstream):
            return None
        message = f'Trigger was "{getattr(trigger, "__name__", "custom")}" but it did not hold.'
        state: State = TriggerFailed(message)
    except StateSignal as signal:
        state = signal.state
        if trigger is all_successful and isinstance(state, TriggerFailed):
            state = TriggerFailed(f"{state.message} {_culprits(run.upstream)}", signal)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - user code; the failure becomes the state of the task
        state = failures.failed(error, TriggerFailed)
    run.ended = True
    return state


def set_running(runner: Runner, run: TaskRun) -> State | None:
    """From here on the task's own code is at work."""
    return Running("Starting task run.", context={"task_run_count": run.task_run_count})


def call(runner: Runner, run: TaskRun) -> State | None:
    """Run the task's code, here or wherever the executor has it run, and take the state it ends in."""
    if not isinstance(run.state, Running):  # a handler replaced the state
        run.ended = True
        return None
    task = run.task
    if runner.invoke is None or task.auto_generated:  # those only put together what lies here
        return calls.carry_out(task.run, run.inputs, task.timeout, task.log_stdout, run)
    return runner.invoke(calls.Invocation(task.run, run.inputs, task.timeout, task.log_stdout, run.snapshot()))


def call_and_keep(runner: Runner, run: TaskRun) -> State | None:
    """The same, unless it is known that it would be in vain; a success is stored before anybody hears of it."""
    if run.found is not None:
        return run.found
    state = call(runner, run)
    return checkpoints.keep(run, state) if type(state) is Success else state


def check_retry(runner: Runner, run: TaskRun) -> State | None:
    """A failure becomes Retrying while there are tries left; the reason goes along."""
    state = run.state
    if not isinstance(state, Failed) or not retry_is_due(run, state):
        return None
    count, most = run.task_run_count, run.task.max_retries
    delay = run.task.retry_wait(count)
    _logger.warning(
        "Task %s failed in attempt %d of %d and tries again in %s: %s", run, count, most + 1, delay, state.message
    )
    return Retrying(
        f"Retrying Task (after attempt {count} of {most + 1}): {state.message}",
        start_time=clock.now() + delay,
        run_count=count,
        context={"task_run_count": count},
        data=state.data,
    )


def check_looping(runner: Runner, run: TaskRun) -> State | None:
    """One round of a loop is over: the next one starts as a fresh run that finds this one's result in its context."""
    state = run.state
    if not isinstance(state, Looped):
        return None
    run.task_loop_count += 1
    run.task_loop_result = state.result
    run.task_run_count = 0  # goes_on counts the next round as attempt 1
    return Pending(f"Looping task (on loop index {run.task_loop_count}).", data={"loop_count": run.task_loop_count})


_INDEXED = (list, tuple, range, str, bytes)

RUN = (
    *(check_stop, check_ready, check_start_time, check_upstream_finished, check_upstream_skipped, get_inputs),
    *(set_run_name, check_trigger, set_running, call, check_retry, check_looping),
)
MAP = (check_stop, check_ready, check_upstream_finished, check_upstream_skipped, check_mappable)

# The same for runs that keep results or have some of earlier attempts; the others needn't pay for it.
RUN_KEEPING = (
    *(check_stop, check_ready, check_start_time, check_upstream_finished, check_upstream_skipped),
    *(checkpoints.load_results, get_inputs, set_run_name, checkpoints.find_result, check_trigger),
    *(checkpoints.use_found, set_running, call_and_keep, check_retry, check_looping),
)
MAP_KEEPING = (*MAP[:-1], checkpoints.load_mapped, check_mappable)


def goes_on(run: TaskRun) -> bool:
    """Is there another round at once: of a loop, or of a retry or a pause whose time has come? Counts it."""
    state = run.state
    if run.task_run_count and not is_due(state):
        return False
    if not run.task_run_count or isinstance(state, Retrying):
        run.task_run_count += 1
    return True


def is_due(state: State) -> bool:
    """Is this a retry, or a pause with an end, whose time has come?"""
    return isinstance(state, Scheduled) and state.start_time is not None and state.start_time <= clock.now()


def retry_is_due(run: TaskRun, state: Failed) -> bool:
    """May this failure be tried again? Tasks that never started are not."""
    task = run.task
    if run.task_run_count > task.max_retries or isinstance(state, TriggerFailed):
        return False
    return not task.retry_on or isinstance(state.result, task.retry_on)


def elements(state: State, edge: Edge[Task]) -> Any:
    """The upstream result as something with a length and an index. Raises TypeError, or what a class of the user's raises."""
    values = flat(state.result) if edge.flattened else state.result
    if not isinstance(values, Sized) or not hasattr(values, "__getitem__") or isinstance(values, Mapping):
        raise TypeError
    return values if type(values) in _INDEXED else [values[index] for index in range(len(values))]


def flat(values: Any) -> list[Any]:
    """One level of nesting removed. Raises TypeError when there is none."""
    return list(chain.from_iterable(values))


def _culprits(upstream: Mapping[Edge[Task], State]) -> str:
    names = [
        edge.upstream_task.name for edge, state in upstream.items() if not state.is_successful() or state.is_mapped()
    ]
    shown = ", ".join(repr(name) for name in names[:3])
    return f"Look at {shown}{' and others' if len(names) > 3 else ''}."
