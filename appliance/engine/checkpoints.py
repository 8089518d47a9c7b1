"""The steps that keep results and find them again: reading what earlier attempts stored, targets, caching, storing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from appliance.core import cache_validators as caching
from appliance.core import results
from appliance.core.cache_validators import NotComparable, Record
from appliance.core.context import context
from appliance.core.edge import Edge
from appliance.core.errors import ResultError, ResultLocationError, ResultNotFoundError
from appliance.core.logs import get_logger
from appliance.core.results import Result, Template, Unloaded
from appliance.core.run_context import FlowRunContext
from appliance.core.states import Cached, Failed, Mapped, State, Success
from appliance.core.task import Task
from appliance.engine import cache_records as caches
from appliance.engine import failures
from appliance.engine.task_run import Runner, TaskRun
from appliance.kit import clock

_logger = get_logger()

_DAYS = ("today", "yesterday", "tomorrow")
_NAMES = (
    *("flow_name", "flow_run_id", "flow_run_name", "scheduled_start_time", "date"),
    *(*_DAYS, *(f"{day}_nodash" for day in _DAYS)),
    *("map_index", "task_name", "task_slug", "task_run_count", "task_run_name", "task_loop_count"),
)
_OF_A_CHILD = {"map_index", "task_run_name"}


def load_results(runner: Runner, run: TaskRun) -> State | None:
    """Read the results of earlier attempts that become this task's inputs; the others stay where they are."""
    return _loaded(run, [edge for edge in run.upstream if edge.key is not None])


def load_mapped(runner: Runner, run: TaskRun) -> State | None:
    """Read the results of earlier attempts that are dealt out to the children of this task."""
    return _loaded(run, [edge for edge in run.upstream if edge.mapped])


def find_result(runner: Runner, run: TaskRun) -> State | None:
    """Is there already a result, at the task's target or in the cache? It is used once the trigger has agreed."""
    task = run.task
    if task.target is not None:
        run.found = check_target(run)
    elif task.cache_for is not None:
        run.found = check_cached(run)
    return None


def use_found(runner: Runner, run: TaskRun) -> State | None:
    """With an earlier result the task does not run."""
    if not isinstance(run.found, Cached):
        return None
    run.ended = True
    return run.found


def check_target(run: TaskRun) -> State | None:
    """Cached, with what lies at the target; a target that can't be asked or read is a failure of the task."""
    try:
        place, location = target_of(run)
        if not place.has(location):
            return None
        value, stored = place.load(location)
    except ResultNotFoundError:  # it was removed in between
        return None
    except ResultError as error:
        return Failed(str(error), error)
    message = f"Result found at task target {location}."
    return Cached(message, value, data=_told(place, stored.location, stored.sha256))


def check_cached(run: TaskRun) -> State | None:
    """Cached, with an earlier result that still holds. Whatever goes wrong with the cache is a miss and a warning."""
    task, parameters = run.task, run.flow_run.parameters
    validator = task.cache_validator or caching.duration_only
    key = ("key", task.cache_key) if task.cache_key else ("task", run.flow_run.flow_name, run.task_slug)
    place = None if task.checkpoint is False else place_of(task, run.flow_run)
    run.lookup = None
    try:
        run.lookup = lookup = caching.lookup(validator, key, run.map_index, run.inputs, parameters)
        record = caches.find(lookup, place)
        if record is None or not caching.holds(record, validator, clock.now(), run.inputs, parameters):
            return None
        value = caches.value(lookup, place, record)
    except (NotComparable, ResultError) as error:
        _logger.warning("Task %s does not use its cache: %s", run, error)
        return None
    except Exception as error:  # noqa: BLE001 - the author's validator; a broken cache must not fail the task
        _logger.warning("Task %s does not use its cache, whose validator failed: %s", run, failures.summary(error))
        return None
    message = (
        f"The result of {clock.isoformat(record.created)} is used; it holds until {clock.isoformat(record.expires)}."
    )
    data = {} if place is None or record.location is None else _told(place, record.location, record.sha256)
    return Cached(message, value, {}, data, record.inputs, record.parameters, record.expires)


def keep(run: TaskRun, state: Success) -> State:
    """What a task's code has come to, stored and noted as the task and the run want it."""
    kept = checkpoint(run, state)
    return cache_result(run, kept) if run.lookup is not None and isinstance(kept, Success) else kept


def checkpoint(run: TaskRun, state: Success) -> State:
    """The state with the location of its stored result. What an author asked to store and can't be stored is a failure."""
    task, place = run.task, place_of(run.task, run.flow_run)
    if state.result is None or not _is_stored(run, place):
        return state
    try:
        place, location = target_of(run) if task.target is not None or place is None else (place, _location(run, place))
        return _stored(state, place, location)
    except ResultError as error:
        if place is None or not place.optional or task.target is not None:
            return Failed(f"The task ran, but its result could not be stored: {error}", error)
        _logger.warning("The result of task %s is not kept for a restart: %s", run, error)
        return state


def cache_result(run: TaskRun, state: Success) -> Success:
    """Cached until `cache_for` is over. A result that can't be noted is a success all the same."""
    task, lookup = run.task, run.lookup
    assert lookup is not None and task.cache_for is not None
    place = None if task.checkpoint is False else place_of(task, run.flow_run)
    try:
        if place is not None and state.result is not None and "result_location" not in state.data:
            state = _stored(state, place, place.default_location(*_parts(run)))
        now = clock.now()
        record = Record(
            now, now + task.cache_for, state.data.get("result_location"), state.data.get("result_sha256"),
            lookup.inputs, lookup.parameters,
        )  # fmt: skip
        caches.note(lookup, place, record, state.result)
    except (ResultError, OverflowError) as error:
        _logger.warning("The result of task %s is not cached: %s", run, error)
        return state
    return Cached(
        state.message, state.result, state.context, state.data, lookup.inputs, lookup.parameters, record.expires
    )


def needed(flow_run: FlowRunContext, tasks: Iterable[Task]) -> bool:
    """Has any of these tasks a result to keep, or to find?"""
    return flow_run.result is not None or any(
        task.result is not None or task.target is not None or task.cache_for is not None for task in tasks
    )


def place_of(task: Task, flow_run: FlowRunContext) -> Result | None:
    """Where the results of a task lie: its own place, else the flow's, else the site's."""
    place: Result | None = task.result if task.result is not None else flow_run.result
    return place


def target_of(run: TaskRun) -> tuple[Result, str]:
    """The place and the location of a task's target. Raises ResultError."""
    place, target = place_of(run.task, run.flow_run), run.task.target
    assert target is not None
    if place is None:
        raise ResultError(
            f"Task {run.task_name!r} has a target but no place for it; give the task or its flow result=LocalResult(...)."
        )
    return place, _rendered(run, target)


def names_of(run: TaskRun) -> dict[str, Any]:
    """What templates may use: the flow's parameters, the run's context, the task's inputs; later ones win."""
    known = {name: value for name in _NAMES if (value := context.get(name)) is not None}
    return {**run.flow_run.parameters, **run.flow_run.extra, **known, **run.inputs}


def _is_stored(run: TaskRun, place: Result | None) -> bool:
    task = run.task
    if task.checkpoint is False or task.always_rerun:  # a secret for instance must lie nowhere
        return False
    if task.target is not None:
        return True
    if place is None or (task.auto_generated and task.result is None):  # made anew at no cost from what is stored
        return False
    return not place.optional or run.flow_run.checkpointing or task.checkpoint is True


def _location(run: TaskRun, place: Result) -> str:
    return place.default_location(*_parts(run)) if place.location is None else _rendered(run, place.location)


def _rendered(run: TaskRun, template: Template) -> str:
    if run.map_index >= 0 and isinstance(template, str):
        own = _OF_A_CHILD.union(edge.key for edge in run.upstream if edge.mapped and edge.key)
        if own.isdisjoint(results.names_in(template)):
            raise ResultLocationError(
                f"The result location {template!r} is the same for all children of the mapped task {run.task_name!r}; "
                f"add {{map_index}} to it."
            )
    return results.render(template, names_of(run))


def _parts(run: TaskRun) -> list[str]:
    """The readable part of default locations: the flow run, and the task run in it."""
    own = run.task_slug if run.map_index < 0 else f"{run.task_slug}-{run.map_index}"
    return [run.flow_run.flow_run_id, own] if run.flow_run.flow_run_id else [own]


def _stored(state: Success, place: Result, location: str) -> Success:
    stored = place.store(state.result, location)
    return Success(
        state.message, state.result, state.context, {**state.data, **_told(place, stored.location, stored.sha256)}
    )


def _told(place: Result, location: str, sha256: str | None) -> dict[str, Any]:
    """What leaves the process of a result."""
    return {"result_location": location, "result_sha256": sha256, "result_place": place.address}


def _loaded(run: TaskRun, edges: list[Edge[Task]]) -> State | None:
    try:
        for edge in edges:
            _load(run.upstream[edge], place_of(edge.upstream_task, run.flow_run), edge.upstream_task)
    except ResultError as error:
        run.ended = True
        return Failed(f"Failed to retrieve task results: {error}", error)
    return None


def _load(state: State, place: Result | None, task: Task) -> None:
    """Put the value into the state in place of its marker, once for all who need it. Raises ResultError."""
    if isinstance(state, Mapped):
        for index, child in enumerate(state.map_states):
            _load(child, place, task)
            if type(state.result) is list and type(state.result[index]) is Unloaded:
                state.result[index] = child.result
    elif type(state.result) is Unloaded:
        if place is None:
            raise ResultError(
                f"the result of task {task.name!r} lies at {state.result.location}, but this run has no place for results; "
                "set APPLIANCE_RESULTS_URL as it was, or run the flow anew."
            )
        # States don't change otherwise; here the same result only takes another form.
        object.__setattr__(state, "result", place.read(state.result.location, state.result.sha256))
