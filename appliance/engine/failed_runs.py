"""The final state of a flow run that failed: the first task whose own code failed gives the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from appliance.core.flow import Flow
from appliance.core.states import Failed, Mapped, State, TriggerFailed
from appliance.core.task import Task
from appliance.kit.plurals import counted

WITHOUT_CAUSE = "Some reference tasks failed."
_MOST_TEXT = 500

Key = tuple[str, int]


def failed_run(flow: Flow, states: Mapping[Task, State], order: Sequence[Key]) -> Failed:
    """The state of a run with a reference task that failed. `order` has the task runs that failed, the first one first."""
    failures = _failures(flow, states)
    own = {key: state for key, state in failures.items() if not isinstance(state, TriggerFailed)}
    if not failures:
        return Failed(WITHOUT_CAUSE, dict(states))
    position = {key: place for place, key in reversed(list(enumerate(order)))}
    key, cause = min((own or failures).items(), key=lambda item: position.get(item[0], len(position)))
    data = {name: value for name, value in cause.data.items() if name != "traceback"}
    message = _sentence(key, cause, _all_failed(flow, states) - 1)
    return Failed(
        message, dict(states), data={"task_slug": key[0], "map_index": key[1], "cause": cause.message, **data}
    )


def _failures(flow: Flow, states: Mapping[Task, State]) -> dict[Key, Failed]:
    """The task runs that made the run fail: failed reference tasks, and what failed above them."""
    seen: set[Task] = set()
    above = [task for task in flow.reference_tasks() if _failed_parts(states[task])]
    while above:
        task = above.pop()
        if task not in seen:
            seen.add(task)
            above += [edge.upstream_task for edge in flow.edges_to(task)]
    return {
        (flow.slugs[task], index): state
        for task in states
        if task in seen
        for index, state in _failed_parts(states[task])
    }


def _failed_parts(state: State) -> list[tuple[int, Failed]]:
    parts = enumerate(state.map_states) if isinstance(state, Mapped) else [(-1, state)]
    return [(index, part) for index, part in parts if isinstance(part, Failed)]


def _all_failed(flow: Flow, states: Mapping[Task, State]) -> int:
    parts = [part for state in states.values() for _, part in _failed_parts(state)]
    return max(1, sum(not isinstance(part, TriggerFailed) for part in parts))


def _sentence(key: Key, cause: Failed, others: int) -> str:
    slug, index = key
    name = slug if index < 0 else f"{slug}[{index}]"
    text = " ".join((cause.message or type(cause).__name__).split())
    text = text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 3]}..."
    more = "" if others < 1 else f" {counted(others, 'other task')} failed too."
    return f"Task {name} failed: {text}{'' if not more or text.endswith(('.', '!', '?')) else '.'}{more}"
