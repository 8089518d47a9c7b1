"""Saves the progress of a loop for the next attempt: the round, and the result of the previous one, stored like any other.

Of a long loop, the server learns only about some rounds, so that its history stays short however long the loop goes on.
"""

from __future__ import annotations

from dataclasses import replace

from appliance.core.errors import ResultError
from appliance.core.logs import get_logger
from appliance.core.results import Result
from appliance.core.states import Pending, Running, State
from appliance.engine import checkpoints
from appliance.engine.results.run_packs import RunPacks
from appliance.engine.task_run import TaskRun
from appliance.protocol.run_protocol import EarlierTask

_logger = get_logger()
_COUNT, _LOCATION, _SHA256 = "loop_count", "loop_result_location", "loop_result_sha256"
_ALL_UP_TO = 100


def is_quiet(old: State, new: State) -> bool:
    """Does this change only begin another round of a long loop? The first 100 are reported, then the 128th, 256th and so on."""
    begun = old if isinstance(new, Running) else new
    count = begun.data.get(_COUNT, 0) if type(begun) is Pending else 0
    return count > _ALL_UP_TO and bool(count & (count - 1))


def store(state: State, run: TaskRun, packs: RunPacks | None) -> State:
    """The state with what the next attempt needs to continue with this round. Without a place for results, the loop starts over."""
    count, value = state.context["task_loop"]
    if value is None:
        return replace(state, data={**state.data, _COUNT: count})
    place = checkpoints.place_of(run.task, run.flow_run)
    try:
        if place is None:
            return state
        parts = run.flow_run.flow_run_id or "", f"{run.task_slug}-loop"
        result = (
            place.store(value, place.default_location(*parts)) if packs is None else packs.store(place, value, parts)
        )
    except ResultError as error:
        _logger.warning("The loop of task %s will start over in the next attempt: %s", run, error)
        return state
    return replace(state, data={**state.data, _COUNT: count, _LOCATION: result.location, _SHA256: result.sha256})


def restore(state: State, one: EarlierTask, place: Result | None) -> State:
    """The state with the round in which the earlier attempt ended."""
    count, location = one.data.get(_COUNT), one.data.get(_LOCATION)
    if not isinstance(count, int):
        return state
    value = None
    if location is not None:
        try:
            if place is None:
                return state
            value = place.read(location, one.data.get(_SHA256))
        except ResultError as error:
            _logger.warning("The loop of task %r starts over: %s", one.task_slug, error)
            return state
    return replace(state, context={**state.context, "task_loop": (count, value)})
