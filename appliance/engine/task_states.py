"""`task_states` of `flow.run()`: the states of an earlier run that a run continues from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from appliance.core.flow import Flow
from appliance.core.logs import get_logger
from appliance.core.states import Finished, Mapped, State
from appliance.core.task import Task
from appliance.engine.flow_runner import earlier_states

_logger = get_logger()

States = Mapping[tuple[str, int], State]


def task_states_of(flow: Flow, given: Mapping[Any, Any]) -> States:
    """`given` by slug and map index; its keys may also be tasks of the flow. Raises TypeError or ValueError for other entries."""
    states: dict[tuple[str, int], State] = {}
    for key, state in given.items():
        if not isinstance(state, State):
            raise TypeError(f"task_states has {state!r} for {key!r}; it must be a state, such as Success(result=1).")
        if isinstance(key, Task):
            _refuse_stranger(flow, key)
            states |= earlier_states(flow, {key: state})
        else:
            states[_key_of(flow, key)] = state
    shifted = {flow.slugs[task] for task in _shifted(flow, states)}
    return {(slug, index): state for (slug, index), state in states.items() if index < 0 or slug not in shifted}


def warn_of_missing_children(flow: Flow, given: States, result: Any) -> None:
    """Name the children that had a state in `given` and that the mapped task, by its last state, does not have."""
    widths = {flow.slugs[task]: state.n_map_states for task, state in result.items() if isinstance(state, Mapped)}
    for slug, index in given:
        if slug in widths and index >= widths[slug]:
            _logger.warning(
                "task_states has a state for child %d of task %r, which has only %d children; it was not used.",
                index,
                slug,
                widths[slug],
            )


def _shifted(flow: Flow, states: States) -> set[Task]:
    """The mapped tasks whose children may get other elements than before: those over flattened children of which some run again."""
    tasks: set[Task] = set()
    for task in flow.sorted_tasks():
        for edge in flow.edges_to(task):
            upstream = edge.upstream_task
            again = edge.flattened and flow.is_mapped(upstream) and not _is_whole(flow.slugs[upstream], states)
            if edge.mapped and (again or upstream in tasks):
                tasks.add(task)
    return tasks


def _is_whole(slug: str, states: States) -> bool:
    """Have all children of this mapped task finished?"""
    parent = states.get((slug, -1))
    if not isinstance(parent, Mapped):
        return False
    return all(isinstance(states.get((slug, index)), Finished) for index in range(parent.n_map_states))


def _refuse_stranger(flow: Flow, task: Task) -> None:
    if task not in flow.slugs:
        raise ValueError(f"task_states has a state for task {task.name!r}, which is not in flow {flow.name!r}.")


def _key_of(flow: Flow, key: Any) -> tuple[str, int]:
    match key:
        case (str() as slug, int() as index) if not isinstance(index, bool) and index >= -1:
            pass
        case _:
            raise TypeError(
                f"task_states has the key {key!r}; it must be (slug, map index), with -1 for a task that is not a mapped child."
            )
    task = next((task for task, own in flow.slugs.items() if own == slug), None)
    if task is None:
        known = list(flow.slugs.values())
        from difflib import get_close_matches  # only a mistake needs it

        close = get_close_matches(slug, known, 1)
        advice = f"did you mean {close[0]!r}?" if close else f"its tasks are {', '.join(map(repr, known))}."
        raise ValueError(f"task_states has a state for {slug!r}, but flow {flow.name!r} has no such task; {advice}")
    if index >= 0 and not flow.is_mapped(task):
        raise ValueError(
            f"task_states has a state for child {index} of {slug!r}, which is not mapped; use ({slug!r}, -1)."
        )
    return slug, index
