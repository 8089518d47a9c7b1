"""Converts the server's record of earlier attempts to the states that this attempt starts from.

Finished tasks are not run again, unless a value is needed that is no longer available: then its task computes it again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from appliance.core.edge import Edge
from appliance.core.errors import ResultError
from appliance.core.flow import Flow
from appliance.core.results import Result, Unloaded
from appliance.core.states import Failed, Finished, Mapped, Scheduled, State, Success, from_wire
from appliance.core.task import Task
from appliance.engine.tracked import loops
from appliance.protocol.run_protocol import EarlierTask

Key = tuple[str, int]
Places = Callable[[Task], Result | None]
_ALL = None
"""Represents every child of a mapped task, however many there will be."""


def initial_states(flow: Flow, tasks: Iterable[EarlierTask], place_of: Places) -> dict[Key, State]:
    """The `initial_task_states` of the next attempt. `place_of` returns the place for the results of a task."""
    by_key = {(one.task_slug, one.map_index): one for one in tasks}
    by_slug = {slug: task for task, slug in flow.slugs.items()}
    states: dict[Key, State] = {}
    for key, one in by_key.items():
        state = _restore(one)
        if isinstance(state, Scheduled) and key[0] in by_slug:
            state = loops.restore(state, one, place_of(by_slug[key[0]]))
        if isinstance(state, Finished | Scheduled):
            states[key] = state
    lost = {key for key, state in states.items() if _has_value(state) and by_key[key].result_location is None}
    reuse = _Reuse(flow, states, lost, place_of)
    return {key: state for key, state in states.items() if key not in reuse.dropped}


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


class _Reuse:
    """Decides, from the end of the graph to its start, which finished task runs must run again."""

    def __init__(self, flow: Flow, states: Mapping[Key, State], lost: set[Key], place_of: Places) -> None:
        self._flow, self._states, self._lost, self._place_of = flow, states, lost, place_of
        self._mapped = {edge.downstream_task for edge in flow.edges if edge.mapped}
        self._children: dict[str, list[int]] = defaultdict(list)
        for slug, index in states:
            if index >= 0:
                self._children[slug].append(index)
        self.dropped: set[Key] = set()
        for task in reversed(flow.sorted_tasks()):
            self._look_at(task)

    def _look_at(self, task: Task) -> None:
        slug = self._flow.slugs[task]
        indices = self._children.get(slug, [])
        if task.runs_on_cancel:  # the resource that it cleans up is set up again
            self.dropped.update((slug, index) for index in (-1, *indices))
            return
        needs: set[int] | None = set()
        for edge in self._flow.edges_from(task):
            more = self._needs_of(edge)
            needs = _ALL if needs is _ALL or more is _ALL else needs | more
        existing = [*indices, -1] if needs is _ALL else [index for index in needs if (slug, index) in self._states]
        place = self._place_of(task) if existing else None
        self.dropped.update((slug, index) for index in existing if self._is_gone((slug, index), place))

    def _needs_of(self, edge: Edge[Task]) -> set[int] | None:
        """The task runs whose values the downstream task needs: none, some children, or all."""
        task = edge.downstream_task
        if edge.mapped and not edge.flattened and edge.upstream_task in self._mapped:
            return set() if edge.key is None else self._running(task)
        if task in self._mapped:  # the number of its children is counted again
            return _ALL if self._resolves(task) else set()
        return _ALL if edge.key is not None and self._running(task) != set() else set()

    def _running(self, task: Task) -> set[int] | None:
        """The indices of the task runs that will run."""
        slug = self._flow.slugs[task]
        if task not in self._mapped:
            return set() if self._is_kept(task, -1) else {-1}
        if not self._resolves(task):
            return set()
        parent = self._states.get((slug, -1))
        if not isinstance(parent, Mapped):
            return _ALL
        return {index for index in range(parent.n_map_states) if not self._is_kept(task, index)}

    def _resolves(self, task: Task) -> bool:
        """Does the parent of a mapped task run? It runs in every attempt, unless it ended without children."""
        return isinstance(self._states.get((self._flow.slugs[task], -1)), Mapped) or not self._is_kept(task, -1)

    def _is_kept(self, task: Task, index: int) -> bool:
        key = self._flow.slugs[task], index
        return isinstance(self._states.get(key), Finished) and key not in self.dropped and not task.always_rerun

    def _is_gone(self, key: Key, place: Result | None) -> bool:
        """Does this state refer to a value that can no longer be read?"""
        state = self._states.get(key)
        if key in self._lost:
            return True
        if state is None or type(state.result) is not Unloaded:
            return False
        try:
            return place is None or not place.holds(state.result.location)
        except (
            ResultError
        ):  # the place can't be reached now; the task that needs the value will try again and report it
            return False
