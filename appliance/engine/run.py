"""`flow.run()`: a run here and now, without a server; with a schedule, one run at each of its times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from appliance.core import parameter_types
from appliance.core.errors import ParameterError, UnknownParameterError
from appliance.core.flow import Flow
from appliance.core.logs import get_logger
from appliance.core.states import Cancelled, Resume, State
from appliance.engine import progress as progress_
from appliance.engine.executors.executor import Executor
from appliance.engine.flow_runner import FlowRunner, earlier_states
from appliance.kit import clock
from appliance.schedules import Schedule, ScheduleError

_logger = get_logger()
_OPTIONS = ("parameters", "executor", "run_on_schedule", "context", "task_states", "progress", "runner_class")

States = Mapping[tuple[str, int], State]


def run_flow(
    flow: Flow,
    /,
    parameters: Mapping[str, Any] | None = None,
    *,
    executor: Executor | None = None,
    run_on_schedule: bool | None = None,
    context: Mapping[str, Any] | None = None,
    task_states: States | None = None,
    progress: bool | None = None,
    runner_class: Callable[..., FlowRunner] = FlowRunner,
    **more_parameters: Any,
) -> State:
    """Run the flow in this process and return the last state, whose result is `{task: state}`.

    A flow with a schedule waits and runs at each of its times until there are no more, or until Ctrl-C.

    - `parameters`: values of the flow's parameters by name. They may also be given as keywords of their own, unless one is
      named like an option.
    - `executor`: used instead of the flow's own.
    - `run_on_schedule`: False runs a flow with a schedule once, at once; True insists on a schedule.
    - `context`: more values that tasks find in `appliance.context`.
    - `task_states`: `{(slug, map index): state}` of an earlier run: what had finished is not run again (first run only).
    - `progress`: False shows no progress; nor does APPLIANCE_PROGRESS=off. By default a terminal shows it live.

    At a terminal you are asked whether a paused task may go on; elsewhere the run ends Paused and `task_states` goes on from it.
    Raises ParameterError for parameters that don't fit, ScheduleError for a schedule without a time to come.
    """
    _check_options(executor, context, task_states)
    given = _together(flow, parameters, more_parameters)
    runs = _Runs(flow, executor, context, task_states, runner_class, progress)
    with progress_.log_lines():
        scheduled = flow.schedule is not None if run_on_schedule is None else run_on_schedule
        return runs.on_schedule(given) if scheduled else runs.once(given, None)


def _check_options(executor: Any, context: Any, task_states: Any) -> None:
    for name, value, kind, wanted in (
        ("executor", executor, Executor, "an executor such as ThreadExecutor()"),
        ("context", context, Mapping, "a dict of values by name"),
        ("task_states", task_states, Mapping, "a dict of states by (slug, map index)"),
    ):
        if value is not None and not isinstance(value, kind):
            raise TypeError(
                f"{name} is an option of flow.run() and must be {wanted}; "
                f"a parameter of that name is given as parameters={{{name!r}: ...}}."
            )


def _together(flow: Flow, parameters: Any, more: Mapping[str, Any]) -> dict[str, Any]:
    """All given parameters. Raises ParameterError for what can only be a slip."""
    if parameters is not None and not isinstance(parameters, Mapping):
        raise ParameterError(f"parameters must be a dict of values by name, not {type(parameters).__name__}.")
    known = {parameter.name for parameter in flow.parameters()}
    for name in more:
        option = get_close_matches(name, _OPTIONS, 1)
        if name not in known and option and not get_close_matches(name, known, 1):
            raise UnknownParameterError(
                f"flow.run() has no option {name!r} and the flow no such parameter; did you mean {option[0]}=...?"
            )
        if parameters is not None and name in parameters:
            raise ParameterError(f"Parameter {name!r} is given twice, in parameters={{...}} and as {name}=...")
    return {**(parameters or {}), **more}


class _Runs:
    """The runs of one call of `flow.run()`."""

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

    def on_schedule(self, given: Mapping[str, Any]) -> State:
        """A run at each time of the schedule; times that pass during a run are left out."""
        schedule, name = self._flow.schedule, self._flow.name
        if schedule is None:
            raise ScheduleError(f"Flow {name!r} has no schedule; give it one or leave run_on_schedule out.")
        for source in schedule.clocks:  # better now than at night
            parameter_types.resolve(self._flow, {**source.parameters, **given})
        try:
            self._follow(schedule, given)
        except KeyboardInterrupt:
            _logger.info("Flow %r was interrupted while it waited for its schedule.", name)
            return self._last or Cancelled("Interrupted before the first scheduled run.")
        if self._last is None:
            raise ScheduleError(f"Flow {name!r} has no more scheduled runs; run it now with run_on_schedule=False.")
        return self._last

    def _follow(self, schedule: Schedule, given: Mapping[str, Any]) -> None:
        after, name = clock.now(), self._flow.name
        while (due := schedule.due(after)) is not None:
            at, source = due
            _logger.info("Flow %r waits for its next run at %s; Ctrl-C ends it.", name, clock.isoformat(at))
            clock.sleep_until(at)
            self._last = self.once({**source.parameters, **given}, at)
            if self._interrupted:
                return
            after = max(at, clock.now())
        if self._last is not None:
            _logger.info("Flow %r has no more scheduled runs.", name)

    def once(self, values: Mapping[str, Any], at: datetime | None) -> State:
        """One run; at a terminal, on through its pauses."""
        at = at or clock.now()
        states, self._states = self._states, None
        while True:
            runner = self._runner_class(
                self._flow,
                self._executor,
                values,
                context=self._context,
                scheduled_start_time=at,
                initial_task_states=states,
            )
            state = progress_.carried_out(runner, self._progress)
            self._interrupted = runner.stopped
            if not state.is_paused() or not isinstance(state.result, Mapping):
                return state
            states = earlier_states(self._flow, state.result)
            resumed = _resumed(states)
            if not resumed:
                return state
            states |= resumed


def _resumed(states: States) -> dict[tuple[str, int], State]:
    """New states of the paused tasks that a person lets go on."""
    paused: dict[str, list[tuple[str, int]]] = {}
    for key, state in states.items():
        if state.is_paused():
            paused.setdefault(key[0], []).append(key)
    if not progress_.is_someone_there():
        _logger.warning(
            "The run stops here: %s is paused and nobody can be asked. Run the flow at a terminal, or go on with "
            "flow.run(task_states=...), a Resume() in place of each Paused.",
            ", ".join(map(repr, paused)),
        )
        return {}
    found: dict[tuple[str, int], State] = {}
    for slug, keys in paused.items():
        if progress_.asked(slug, len(keys)):
            found |= {key: Resume("Resumed at the terminal.", context=states[key].context) for key in keys}
    return found
