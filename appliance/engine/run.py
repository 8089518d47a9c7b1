"""`flow.run()`: runs a flow in this process, without a server. With a schedule, it runs at each of its times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from appliance.core import parameter_types
from appliance.core.context import TASK_RUN_KEYS
from appliance.core.errors import ParameterError, UnknownParameterError
from appliance.core.flow import Flow
from appliance.core.logs import get_logger
from appliance.core.states import Cancelled, Resume, State
from appliance.engine import progress as progress_
from appliance.engine.executors.executor import Executor
from appliance.engine.flow_runner import FlowRunner, earlier_states
from appliance.engine.output import streams
from appliance.engine.task_states import States, task_states_of, warn_of_missing_children
from appliance.engine.termination import on_sigterm
from appliance.kit import clock, ids

if TYPE_CHECKING:
    from appliance.schedules import Schedule

_logger = get_logger()
_OPTIONS = ("parameters", "executor", "run_on_schedule", "context", "task_states", "progress", "runner_class")


def run_flow(
    flow: Flow,
    /,
    parameters: Mapping[str, Any] | None = None,
    *,
    executor: Executor | None = None,
    run_on_schedule: bool | None = None,
    context: Mapping[str, Any] | None = None,
    task_states: Mapping[Any, State] | None = None,
    progress: bool | None = None,
    runner_class: Callable[..., FlowRunner] = FlowRunner,
    **more_parameters: Any,
) -> State:
    """Run the flow in this process and return the last state, whose result is `{task: state}`.

    A flow with a schedule waits and runs at each of its times until there are no more, or until Ctrl-C.

    - `parameters`: values of the flow's parameters by name. They can also be passed as keyword arguments, unless one has
      the name of an option.
    - `executor`: used instead of the flow's own.
    - `run_on_schedule`: False runs a flow with a schedule once, right now; True requires a schedule.
    - `context`: additional values that tasks find in `appliance.context`.
    - `task_states`: `{(slug, map index): state}` of an earlier run, or its `{task: state}`. Tasks that had finished are not run
      again (first run only).
    - `progress`: False turns the progress display off, as does APPLIANCE_PROGRESS=off. By default, a terminal shows it live.

    SIGTERM cancels the run as Ctrl-C does, and then ends the process with status 143, unless you have set a handler for it.
    At a terminal, you are asked whether to resume a paused task. Elsewhere, the run ends Paused, and `task_states` continues it.
    Raises ParameterError for invalid parameters and ScheduleError for a schedule without future times.
    """
    _check_options(
        executor, context, task_states, runner_class, {"run_on_schedule": run_on_schedule, "progress": progress}
    )
    values = _merge_parameters(flow, parameters, more_parameters)
    states = None if task_states is None else task_states_of(flow, task_states)
    runs = _Runs(flow, executor, context, states, runner_class, progress)
    with streams.kept(), progress_.log_lines(), on_sigterm():
        scheduled = flow.schedule is not None if run_on_schedule is None else run_on_schedule
        return runs.on_schedule(values) if scheduled else runs.once(values, None)


def _check_options(executor: Any, context: Any, task_states: Any, runner_class: Any, flags: Mapping[str, Any]) -> None:
    options: list[tuple[str, Any, Any, str]] = [
        ("executor", executor, Executor, "an executor such as ThreadExecutor()"),
        ("context", context, Mapping, "a dict of values by name"),
        ("task_states", task_states, Mapping, "a dict of states by (slug, map index)"),
        ("runner_class", runner_class, Callable, "a subclass of FlowRunner"),
        *((name, value, bool, "True or False") for name, value in flags.items()),
    ]
    for name, value, kind, description in options:
        if value is not None and not isinstance(value, kind):
            raise TypeError(
                f"{name} is an option of flow.run() and must be {description}; "
                f"pass a parameter of that name as parameters={{{name!r}: ...}}."
            )
    for name in TASK_RUN_KEYS:
        if name in (context or ()):
            raise ValueError(f"context can't set {name!r}, because each task run has its own; use another name.")


def _merge_parameters(flow: Flow, parameters: Any, more: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters in one dict. Raises ParameterError for obvious mistakes."""
    if parameters is not None and not isinstance(parameters, Mapping):
        raise ParameterError(f"parameters must be a dict of values by name, not {type(parameters).__name__}.")
    names = {parameter.name for parameter in flow.parameters()}
    for name in more:
        if name not in names:
            _refuse_misspelled_option(name, names)
        if parameters is not None and name in parameters:
            raise ParameterError(
                f"Parameter {name!r} is passed twice, in parameters={{...}} and as {name}=...; remove one."
            )
    return {**(parameters or {}), **more}


def _refuse_misspelled_option(name: str, parameters: set[str]) -> None:
    from difflib import get_close_matches  # only a mistake needs it

    option = get_close_matches(name, _OPTIONS, 1)
    if option and not get_close_matches(name, parameters, 1):
        raise UnknownParameterError(
            f"flow.run() has no option {name!r} and the flow has no such parameter; did you mean {option[0]}=...?"
        )


class _Runs:
    """The runs of one call to `flow.run()`."""

    def __init__(
        self,
        flow: Flow,
        executor: Executor | None,
        context: Mapping[str, Any] | None,
        task_states: States | None,
        runner_class: Callable[..., FlowRunner],
        progress: bool | None,
    ) -> None:
        self._flow, self._executor, self._context, self._progress = flow, executor, context, progress
        self._states: States | None = task_states
        self._runner_class = runner_class
        self._last: State | None = None
        self._interrupted = False

    def on_schedule(self, values: Mapping[str, Any]) -> State:
        """Run at each time of the schedule, once for each clock that is due. Times that pass during a run are skipped."""
        from appliance.schedules import ScheduleError  # most runs have nothing to do with schedules

        schedule, name = self._flow.schedule, self._flow.name
        if schedule is None:
            raise ScheduleError(f"Flow {name!r} has no schedule; add one or omit run_on_schedule.")
        for source in schedule.clocks:  # fail now rather than at the scheduled time
            parameter_types.resolve(self._flow, {**source.parameters, **values})
        try:
            self._follow(schedule, values)
        except KeyboardInterrupt:
            _logger.info("Flow %r was interrupted while waiting for its next scheduled run.", name)
            return self._last or Cancelled("Interrupted before the first scheduled run.")
        if self._last is None:
            raise ScheduleError(f"Flow {name!r} has no more scheduled runs; run it now with run_on_schedule=False.")
        return self._last

    def _follow(self, schedule: Schedule, values: Mapping[str, Any]) -> None:
        after, name = clock.now(), self._flow.name
        while (due := schedule.due(after)) is not None:
            at, sources = due
            _logger.info("Flow %r is waiting for its next run at %s; press Ctrl-C to stop.", name, clock.isoformat(at))
            clock.sleep_until(at)
            for source in sources:
                self._last = self.once({**source.parameters, **values}, at)
                if self._interrupted:
                    return
            after = max(at, clock.now())
        if self._last is not None:
            _logger.info("Flow %r has no more scheduled runs.", name)

    def once(self, values: Mapping[str, Any], at: datetime | None) -> State:
        """Run once. At a terminal, continue after each pause."""
        at = at or clock.now()
        given = states = self._states
        self._states = None
        run_id, name = str(ids.uuid7()), ids.readable_name()
        while True:
            runner = self._runner_class(
                self._flow,
                self._executor,
                values,
                context=self._context,
                flow_run_id=run_id,
                flow_run_name=name,
                scheduled_start_time=at,
                initial_task_states=states,
            )
            state = progress_.run_with_progress(runner, self._progress)
            self._interrupted = runner.stopped
            if given and isinstance(state.result, Mapping):
                warn_of_missing_children(self._flow, given, state.result)
            if not state.is_paused() or not isinstance(state.result, Mapping):
                return state
            states = earlier_states(self._flow, state.result)
            updates = _resume_paused(states)
            if not updates:
                return state
            states |= updates


def _resume_paused(states: States) -> dict[tuple[str, int], State]:
    """New states for the paused tasks that a person resumes."""
    paused: dict[str, list[tuple[str, int]]] = {}
    for key, state in states.items():
        if state.is_paused():
            paused.setdefault(key[0], []).append(key)
    if not progress_.is_interactive():
        _logger.warning(
            "The run stops here: %s is paused, and there is no terminal to ask at. Run the flow at a terminal, or continue "
            "with flow.run(task_states=...), replacing each Paused with Resume().",
            ", ".join(map(repr, paused)),
        )
        return {}
    updates: dict[tuple[str, int], State] = {}
    for slug, keys in paused.items():
        if progress_.confirm_resume(slug, len(keys)):
            updates |= {key: Resume("Resumed at the terminal.", context=states[key].context) for key in keys}
    return updates
