"""`flow.run()`: a run here and now, with plain log lines on standard error and no server."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from appliance.core.errors import ScheduleError
from appliance.core.flow import Flow
from appliance.core.logs import get_logger
from appliance.core.states import State
from appliance.engine.executors.executor import Executor
from appliance.engine.flow_runner import FlowRunner
from appliance.kit import clock
from appliance.kit.logs import PlainFormatter

_logger = get_logger()


def run_flow(
    flow: Flow,
    parameters: Mapping[str, Any] | None = None,
    *,
    executor: Executor | None = None,
    run_on_schedule: bool = False,
    context: Mapping[str, Any] | None = None,
    task_states: Mapping[tuple[str, int], State] | None = None,
    runner_class: Callable[..., FlowRunner] = FlowRunner,
    **more_parameters: Any,
) -> State:
    """Run the flow once now, or with `run_on_schedule` at each time of its schedule until that ends; returns the last final state."""
    given = {**(parameters or {}), **more_parameters}

    def once(values: Mapping[str, Any], at: datetime | None) -> State:
        return _run_once(
            runner_class(
                flow, executor, values, context=context, scheduled_start_time=at, initial_task_states=task_states
            )
        )

    with _logging_to_stderr():
        if not run_on_schedule:
            return once(given, None)
        return _run_on_schedule(flow, given, once)


def _run_once(runner: FlowRunner) -> State:
    name, began = runner.flow.name, clock.monotonic()
    _logger.info("Flow %r started with %d tasks.", name, len(runner.flow.slugs))
    state = runner.run()
    level = logging.ERROR if state.is_failed() else logging.INFO
    _logger.log(
        level,
        "Flow %r ended after %.2f s: %s. %s",
        name,
        clock.monotonic() - began,
        type(state).__name__,
        state.message,
    )
    return state


def _run_on_schedule(
    flow: Flow, given: Mapping[str, Any], once: Callable[[Mapping[str, Any], datetime], State]
) -> State:
    if flow.schedule is None:
        raise ScheduleError(f"Flow {flow.name!r} has no schedule; give it one or leave run_on_schedule out.")
    after, state = clock.now(), None
    while (due := flow.schedule.due(after)) is not None:
        after, source = due
        _logger.info("Flow %r waits for its next run at %s.", flow.name, clock.isoformat(after))
        time.sleep(max(0.0, (after - clock.now()).total_seconds()))
        state = once({**source.parameters, **given}, after)
    if state is None:
        raise ScheduleError("Flow has no more scheduled runs.")
    return state


@contextmanager
def _logging_to_stderr() -> Iterator[None]:
    """Show the run's log lines, unless the program has set up logging itself."""
    root = logging.getLogger("appliance.run")
    before = root.level
    handler = None
    if before == logging.NOTSET:
        root.setLevel(logging.INFO)
    if not root.hasHandlers():
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(PlainFormatter())
        root.addHandler(handler)
    try:
        yield
    finally:
        root.setLevel(before)
        if handler is not None:
            root.removeHandler(handler)
