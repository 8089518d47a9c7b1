"""Running tasks and flows in tests, and comparing what became of them."""

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
    """The state in which one task ends with these inputs, after all its retries: a flow of its own around it."""
    with Flow(f"test of {task.name}") as flow:
        made = task(**inputs)
    state = run_flow(flow, executor=LocalExecutor(), progress=False)
    found = state.result[made]
    assert isinstance(found, State)
    return found


def run_scheduled(flow: Flow, count: int, /, **parameters: Any) -> list[State]:
    """The states of the flow's next `count` scheduled runs, fewer when the schedule ends. Use it under a stopped clock, or it
    waits for them. Raises ScheduleError without a schedule."""
    if flow.schedule is None:
        raise ScheduleError(f"Flow {flow.name!r} has no schedule; give it one, or call flow.run().")
    states: list[State] = []
    after = clock.now()
    while len(states) < count and (due := flow.schedule.due(after)) is not None:
        after, source = due
        clock.sleep_until(after)
        values = {**source.parameters, **parameters}
        states.append(run_flow(flow, values, run_on_schedule=False, progress=False))
    return states


def assert_states(state: State, expected: Mapping[Task | str, Expected] | None = None, /, **by_name: Expected) -> None:
    """Compare the states of a run's tasks: `assert_states(flow.run(), extract="Success", load=["Success", "Failed"])`.

    Tasks are given by name or as themselves, states as class or its name (exactly that one), the children of a mapped task as a
    list. Raises AssertionError with one line for each difference.
    """
    wanted: dict[Task | str, Expected] = dict(expected or {})
    wanted.update(by_name)
    if not isinstance(state.result, Mapping):
        raise AssertionError(f"The run has no task states: {state!r}")
    wrong = [line for key, kinds in wanted.items() if (line := _difference(state.result, key, kinds))]
    if wrong:
        raise AssertionError("\n".join(wrong))


def _difference(states: Mapping[Task, State], key: Task | str, kinds: Expected) -> str | None:
    found = [task for task in states if task is key or task.name == key]
    if len(found) != 1:
        names = ", ".join(sorted({task.name for task in states}))
        what = "there is none" if not found else "there are several, give the task itself"
        return f"{key!r}: {what}; the tasks are {names}"
    state = states[found[0]]
    if not isinstance(kinds, list):
        return None if _name(kinds) == type(state).__name__ else f"{key!r}: {_told(state)} instead of {_name(kinds)}"
    if not isinstance(state, Mapped):
        return f"{key!r}: {_told(state)} instead of a mapped task"
    children = state.map_states
    if [_name(kind) for kind in kinds] == [type(child).__name__ for child in children]:
        return None
    return f"{key!r}: [{', '.join(map(_told, children))}] instead of [{', '.join(map(_name, kinds))}]"


def _name(kind: Kind) -> str:
    return kind if isinstance(kind, str) else kind.__name__


def _told(state: State) -> str:
    return f"{type(state).__name__} ({state.message})" if state.message else type(state).__name__
