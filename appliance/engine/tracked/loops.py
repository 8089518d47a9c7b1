"""Where a loop stands when its task waits for another attempt: the round, and the result of the one before, stored like any other."""

from __future__ import annotations

from dataclasses import replace

from appliance.core.errors import ResultError
from appliance.core.logs import get_logger
from appliance.core.results import Result
from appliance.core.states import State
from appliance.engine import checkpoints
from appliance.engine.task_run import TaskRun
from appliance.protocol.run_protocol import EarlierTask

_logger = get_logger()
_COUNT, _LOCATION, _SHA256 = "loop_count", "loop_result_location", "loop_result_sha256"


def stored(state: State, run: TaskRun) -> State:
    """The state with what the next attempt needs to go on in this round. Without a place for results the loop begins anew."""
    count, value = state.context["task_loop"]
    if value is None:
        return replace(state, data={**state.data, _COUNT: count})
    place = checkpoints.place_of(run.task, run.flow_run)
    try:
        if place is None:
            return state
        kept = place.store(value, place.default_location(run.flow_run.flow_run_id or "", f"{run.task_slug}-loop"))
    except ResultError as error:
        _logger.warning("The loop of task %s begins anew in another attempt: %s", run, error)
        return state
    return replace(state, data={**state.data, _COUNT: count, _LOCATION: kept.location, _SHA256: kept.sha256})


def restored(state: State, one: EarlierTask, place: Result | None) -> State:
    """The state in the round in which the earlier attempt left it."""
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
            _logger.warning("The loop of task %r begins anew: %s", one.task_slug, error)
            return state
    return replace(state, context={**state.context, "task_loop": (count, value)})
