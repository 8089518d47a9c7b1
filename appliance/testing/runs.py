"""Runs tasks and flows in tests, and compares their final states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from appliance.core.flow import Flow
from appliance.core.states import Mapped, State
from appliance.core.task import Task
from appliance.engine.executors.local import LocalExecutor
from appliance.engine.run import run_flow
from appliance.kit import clock
from appliance.schedules.errors import ScheduleError

Kind = str | type[State]
Expected = Kind | list[Kind]


def run_task(task: Task, /, **inputs: Any) -> State:
    """Run one task with these inputs in its own flow, and return its final state after all retries."""
    with Flow(f"test of {task.name}") as flow:
        bound = task(**inputs)
    result = run_flow(flow, executor=LocalExecutor(), progress=False).result[bound]
    assert isinstance(result, State)
    return result


def run_scheduled(flow: Flow, count: int, /, **parameters: Any) -> list[State]:
    """The final states of the flow's next `count` scheduled runs, or fewer if the schedule ends. Without a stopped clock, it waits for
    their due times. Raises ScheduleError if the flow has no schedule."""
    if flow.schedule is None:
        raise ScheduleError(f"Flow {flow.name!r} has no schedule; give it one, or call flow.run().")
    states: list[State] = []
    after = clock.now()
    while len(states) < count and (due := flow.schedule.due(after)) is not None:
        after, sources = due
        clock.sleep_until(after)
        for source in sources[: count - len(states)]:
            values = {**source.parameters, **parameters}
            states.append(run_flow(flow, values, run_on_schedule=False, progress=False))
    return states


def assert_states(state: State, expected: Mapping[Task | str, Expected] | None = None, /, **by_name: Expected) -> None:
    """Compare the states of a run's tasks: `assert_states(flow.run(), extract="Success", load=["Success", "Failed"])`.

    Specify tasks by name or as objects, states by class or class name (compared exactly), and the children of a mapped task as a
    list. Raises AssertionError with one line per difference.
    """
    expectations: dict[Task | str, Expected] = dict(expected or {})
    expectations.update(by_name)
    if not isinstance(state.result, Mapping):
        raise AssertionError(f"The run has no task states: {state!r}")
    differences = [line for key, kinds in expectations.items() if (line := _difference(state.result, key, kinds))]
    if differences:
        raise AssertionError("\n".join(differences))


def _difference(states: Mapping[Task, State], key: Task | str, kinds: Expected) -> str | None:
    matches = [task for task in states if task is key or task.name == key]
    if len(matches) != 1:
        names = ", ".join(sorted({task.name for task in states}))
        problem = "no such task" if not matches else "several tasks have this name, so pass the task itself"
        return f"{key!r}: {problem}; the tasks are {names}"
    state = states[matches[0]]
    if not isinstance(kinds, list):
        return (
            None if _name(kinds) == type(state).__name__ else f"{key!r}: {_describe(state)} instead of {_name(kinds)}"
        )
    if not isinstance(state, Mapped):
        return f"{key!r}: {_describe(state)} instead of a mapped task"
    children = state.map_states
    if [_name(kind) for kind in kinds] == [type(child).__name__ for child in children]:
        return None
    return f"{key!r}: [{', '.join(map(_describe, children))}] instead of [{', '.join(map(_name, kinds))}]"


def _name(kind: Kind) -> str:
    return kind if isinstance(kind, str) else kind.__name__


def _describe(state: State) -> str:
    return f"{type(state).__name__} ({state.message})" if state.message else type(state).__name__
