"""The steps that store and reuse results: loading the results of earlier attempts, targets, caching, storing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from appliance.core import cache_validators as caching
from appliance.core import results
from appliance.core.cache_validators import NotComparable, Record
from appliance.core.context import KEYS, context
from appliance.core.edge import Edge
from appliance.core.errors import ResultError, ResultLocationError, ResultNotFoundError
from appliance.core.logs import get_logger
from appliance.core.results import Result, Stored, Template, Unloaded
from appliance.core.run_context import FlowRunContext
from appliance.core.signals import StateSignal
from appliance.core.states import Cached, Failed, Mapped, State, Success
from appliance.core.task import Task
from appliance.engine import cache_records as caches
from appliance.engine import failures
from appliance.engine.task_run import Runner, TaskRun
from appliance.kit import clock

_logger = get_logger()

NOT_STORED = "The task ran, but its result could not be stored: {}"
_OF_A_CHILD = {"map_index", "task_full_name", "task_run_id", "task_run_name"}


def load_results(runner: Runner, run: TaskRun) -> State | None:
    """Read the results of earlier attempts that are inputs of this task. The others are not read."""
    return _load_all(run, [edge for edge in run.upstream if edge.key is not None])


def load_mapped(runner: Runner, run: TaskRun) -> State | None:
    """Read the results of earlier attempts that this task is mapped over."""
    return _load_all(run, [edge for edge in run.upstream if edge.mapped])


def find_result(runner: Runner, run: TaskRun) -> State | None:
    """Look for an existing result, at the task's target or in the cache. It is used only after the trigger has passed."""
    task = run.task
    if task.target is not None:
        run.existing = check_target(run)
    elif task.cache_for is not None:
        run.existing = check_cache(run)
    return None


def use_existing(runner: Runner, run: TaskRun) -> State | None:
    """If there is an existing result, don't run the task."""
    if not isinstance(run.existing, Cached):
        return None
    run.ended = True
    return run.existing


def check_target(run: TaskRun) -> State | None:
    """Cached, with the result at the target. If the target can't be reached or read, the task fails."""
    try:
        place, location = target_of(run)
        if not place.has(location):
            return None
        value, stored = place.load(location)
    except ResultNotFoundError:  # it was removed in the meantime
        return None
    except ResultError as error:
        return Failed(str(error), error)
    message = f"Result found at task target {location}."
    return Cached(message, value, data=_metadata(place.address, stored.location, stored.sha256))


def check_cache(run: TaskRun) -> State | None:
    """Cached, with an earlier result that is still valid. Any problem with the cache is a miss and a warning."""
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
        _logger.warning("The cache of task %s can't be used: %s", run, error)
        return None
    except (Exception, StateSignal) as error:  # noqa: BLE001 - the author's validator; a broken cache must not fail the task
        _logger.warning("The cache of task %s can't be used; its validator failed: %s", run, failures.summary(error))
        return None
    message = f"Using the result of {clock.isoformat(record.created)}, which is valid until {clock.isoformat(record.expires)}."
    data = {} if place is None or record.location is None else _metadata(place.address, record.location, record.sha256)
    return Cached(message, value, {}, data, record.inputs, record.parameters, record.expires)


def keep(runner: Runner, run: TaskRun, state: Success) -> State:
    """Store and cache the result of a task's code, as its task and run specify."""
    kept = checkpoint(runner, run, state)
    return cache_result(run, kept) if run.lookup is not None and isinstance(kept, Success) else kept


def checkpoint(runner: Runner, run: TaskRun, state: Success) -> State:
    """The state with the location of its stored result. If an author chose the place and storing fails, so does the task."""
    task, place = run.task, place_of(run.task, run.flow_run)
    if state.result is None or not _is_stored(run, place):
        return state
    try:
        packs = runner.packs
        if packs is not None and place is not None and not _has_name_of_its_own(run, place):
            return _with(state, packs.store(place, state.result, _parts(run)), packs.address(place))
        place, location = target_of(run) if task.target is not None or place is None else (place, _location(run, place))
        return _stored(state, place, location)
    except ResultError as error:
        if place is None or not place.optional or task.target is not None:
            return Failed(NOT_STORED.format(error), error)
        _logger.warning("The result of task %s can't be stored for a restart: %s", run, error)
        return state


def cache_result(run: TaskRun, state: Success) -> Success:
    """Cached for the duration of `cache_for`. A result that can't be recorded is still a success."""
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
        _logger.warning("The result of task %s can't be cached: %s", run, error)
        return state
    return Cached(
        state.message, state.result, state.context, state.data, lookup.inputs, lookup.parameters, record.expires
    )


def needed(flow_run: FlowRunContext, tasks: Iterable[Task]) -> bool:
    """Does any of these tasks store or reuse results?"""
    return flow_run.result is not None or any(
        task.result is not None or task.target is not None or task.cache_for is not None for task in tasks
    )


def place_of(task: Task, flow_run: FlowRunContext) -> Result | None:
    """The place for the results of a task: its own, otherwise the flow's, otherwise the site's."""
    place: Result | None = task.result if task.result is not None else flow_run.result
    return place


def target_of(run: TaskRun) -> tuple[Result, str]:
    """The place and the location of a task's target. Raises ResultError."""
    place, target = place_of(run.task, run.flow_run), run.task.target
    assert target is not None
    if place is None:
        raise ResultError(
            f"Task {run.task_name!r} has a target but no place for it; set result=LocalResult(...) on the task or its flow."
        )
    return place, _render(run, target)


def names_of(run: TaskRun, but: str = "") -> dict[str, Any]:
    """The names for templates: the flow's parameters, the run's context, the task's inputs. Later ones take precedence.

    The template of a name of the context gets all `but` that one.
    """
    facts = {name: value for name in KEYS if name != but and (value := getattr(context, name, None)) is not None}
    return {**run.flow_run.parameters, **run.flow_run.extra, **facts, **run.inputs}


def _is_stored(run: TaskRun, place: Result | None) -> bool:
    task = run.task
    if task.checkpoint is False or task.always_rerun:  # a secret, for example, must never be stored
        return False
    if task.target is not None:
        return True
    if place is None or (task.auto_generated and task.result is None):  # cheap to recompute from stored results
        return False
    return not place.optional or run.flow_run.checkpointing or task.checkpoint is True


def _has_name_of_its_own(run: TaskRun, place: Result) -> bool:
    """Do others look for the result under its name? Then it is not in a pack."""
    return run.task.target is not None or place.location is not None or run.lookup is not None


def _location(run: TaskRun, place: Result) -> str:
    return place.default_location(*_parts(run)) if place.location is None else _render(run, place.location)


def _render(run: TaskRun, template: Template) -> str:
    if run.map_index >= 0 and isinstance(template, str):
        own = _OF_A_CHILD.union(edge.key for edge in run.upstream if edge.mapped and edge.key)
        if own.isdisjoint(results.names_in(template)):
            raise ResultLocationError(
                f"The result location {template!r} is the same for all children of the mapped task {run.task_name!r}; "
                f"add {{map_index}} to it."
            )
    return results.render(template, names_of(run))


def _parts(run: TaskRun) -> list[str]:
    """The readable part of default locations: the flow run, and its task run."""
    own = run.task_slug if run.map_index < 0 else f"{run.task_slug}-{run.map_index}"
    return [run.flow_run.flow_run_id, own] if run.flow_run.flow_run_id else [own]


def _stored(state: Success, place: Result, location: str) -> Success:
    return _with(state, place.store(state.result, location), place.address)


def _with(state: Success, stored: Stored, address: str) -> Success:
    data = {**state.data, **_metadata(address, stored.location, stored.sha256)}
    return Success(state.message, state.result, state.context, data)


def _metadata(address: str, location: str, sha256: str | None) -> dict[str, Any]:
    """The part of a result that leaves the process."""
    return {"result_location": location, "result_sha256": sha256, "result_place": address}


def _load_all(run: TaskRun, edges: list[Edge[Task]]) -> State | None:
    try:
        for edge in edges:
            _load(run.upstream[edge], place_of(edge.upstream_task, run.flow_run), edge.upstream_task)
    except ResultError as error:
        run.ended = True
        return Failed(f"Failed to retrieve task results: {error}", error)
    return None


def _load(state: State, place: Result | None, task: Task) -> None:
    """Replace the marker in the state with the value, once for every task that needs it. Raises ResultError."""
    if isinstance(state, Mapped):
        for index, child in enumerate(state.map_states):
            _load(child, place, task)
            if type(state.result) is list and type(state.result[index]) is Unloaded:
                state.result[index] = child.result
    elif type(state.result) is Unloaded:
        if place is None:
            raise ResultError(
                f"the result of task {task.name!r} is stored at {state.result.location}, but this run has no place for "
                "results; set APPLIANCE_RESULTS_URL to its earlier value, or run the flow again from the start."
            )
        # States are immutable otherwise; this only changes the form of the same result.
        object.__setattr__(state, "result", place.read(state.result.location, state.result.sha256))
