"""Converts the server's record of earlier attempts to the states that this attempt starts from.

Finished tasks are not run again, unless a value is needed that is no longer available: then its task computes it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from appliance.core.errors import RepeatError, ResultError
from appliance.core.flow import Flow
from appliance.core.results import Result, Unloaded
from appliance.core.states import Failed, Finished, Mapped, Scheduled, State, Success, from_wire
from appliance.core.task import Task
from appliance.engine.tracked import loops
from appliance.kit.plurals import counted
from appliance.protocol.reuse import Link, TaskGraph, TaskKey, to_repeat
from appliance.protocol.run_protocol import EarlierTask

_MOST_NAMED = 10
Places = Callable[[Task], Result | None]


def initial_states(
    flow: Flow, tasks: Iterable[EarlierTask], place_of: Places, repeated: set[TaskKey] | None = None
) -> dict[TaskKey, State]:
    """The `initial_task_states` of the next attempt. `place_of` returns the place for the results of a task. What finished and runs again, because
    its value is needed and can't be read, is added to `repeated`."""
    by_key = {(one.task_slug, one.map_index): one for one in tasks}
    by_slug = {slug: task for task, slug in flow.slugs.items()}
    states: dict[TaskKey, State] = {}
    for key, one in by_key.items():
        state = _restore(one)
        if isinstance(state, Scheduled) and key[0] in by_slug:
            state = loops.restore(state, one, place_of(by_slug[key[0]]))
        if isinstance(state, Finished | Scheduled):
            states[key] = state
    lost = {key for key, state in states.items() if _has_value(state) and by_key[key].result_location is None}
    finished = {
        key: state.n_map_states if isinstance(state, Mapped) else None
        for key, state in states.items()
        if isinstance(state, Finished)
    }
    again = to_repeat(
        _graph_of(flow), finished, lambda key: key in lost or _is_gone(states[key], place_of(by_slug[key[0]]))
    )
    if repeated is not None:
        repeated |= again
    return {key: state for key, state in states.items() if key not in again}


def refuse_repeats(
    flow: Flow, tasks: Iterable[EarlierTask], states: Mapping[TaskKey, State], repeated: Collection[TaskKey]
) -> None:
    """Raise RepeatError if a task that is marked never_repeat would run again: its result can't be read, or nobody knows how it ended."""
    marked = {slug: task for task, slug in flow.slugs.items() if task.never_repeat}
    if not marked:
        return
    for one in tasks:
        key = one.task_slug, one.map_index
        was_begun = key in repeated or (key not in states and one.type == "RUNNING")
        if was_begun and one.task_slug in marked and one.name != Mapped.__name__:
            name = marked[one.task_slug].name + (f"[{one.map_index}]" if one.map_index >= 0 else "")
            what = "its result can't be read here" if key in repeated else "it is not known how that ended"
            raise RepeatError(
                f"Task {name!r} has already begun in an earlier attempt and is marked never_repeat, but {what}, so the run can't go on. "
                "Mark the task as succeeded first, or start a new run."
            )


def repeats_in_words(flow: Flow, repeated: Collection[TaskKey]) -> str:
    """Which tasks run again although they succeeded, in a sentence; empty if none does that its author would notice."""
    children = Counter(slug for slug, index in repeated if index >= 0)
    again = [
        (slug, children[slug] or 1)
        for task, slug in flow.slugs.items()
        if not (task.auto_generated or task.always_rerun or task.runs_on_cancel)
        and (children[slug] or (slug, -1) in repeated)
    ]
    if not again:
        return ""
    named = [
        f"{slug} ({counted(count, 'child', 'children')})" if count > 1 else slug for slug, count in again[:_MOST_NAMED]
    ]
    more = f" and {len(again) - _MOST_NAMED} more" if len(again) > _MOST_NAMED else ""
    return (
        "These tasks succeeded in an earlier attempt and run again, because their results are needed and can't be read here: "
        f"{', '.join(named)}{more}."
    )


def _graph_of(flow: Flow) -> TaskGraph:
    slugs = flow.slugs
    return TaskGraph(
        tasks=tuple(slugs[task] for task in flow.sorted_tasks()),
        links=tuple(
            Link(
                slugs[edge.upstream_task],
                slugs[edge.downstream_task],
                edge.key is not None,
                edge.mapped,
                edge.flattened,
            )
            for edge in flow.edges
        ),
        always=frozenset(slug for task, slug in slugs.items() if task.always_rerun),
        cleaning=frozenset(slug for task, slug in slugs.items() if task.runs_on_cancel),
    )


def _restore(one: EarlierTask) -> State:
    state = from_wire(one.type, one.name, one.message, {"run_count": one.run_count, **one.data})
    if one.result_location and _has_value(state):
        sha256 = one.data.get("result_sha256")
        data = {**state.data, "result_location": one.result_location}
        return replace(state, result=Unloaded(one.result_location, sha256), data=data)
    if isinstance(state, Failed):  # a downstream task may receive the exception, whose original type is unknown
        return replace(state, result=RuntimeError(one.message))
    return state


def _has_value(state: State) -> bool:
    return isinstance(state, Success) and not isinstance(state, Mapped)


def _is_gone(state: State, place: Result | None) -> bool:
    """Does this state refer to a value that can no longer be read?"""
    if type(state.result) is not Unloaded:
        return False
    try:
        return place is None or not place.holds(state.result.location)
    except ResultError:  # the place can't be reached now; the task that needs the value will try again and report it
        return False
