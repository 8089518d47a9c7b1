"""Turning a batch of a run's events into rows: task runs, their histories and logs. The hot path: plain dicts, no objects, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from msgspec import structs

from appliance.kit import ids
from appliance.protocol.run_protocol import MAX_EVENTS, FlowStateEvent, LogEvent, Report, TaskStateEvent
from appliance.protocol.state_change import StateChange
from appliance.protocol.states import TERMINAL
from appliance.server.db.rows.logs import NewLog
from appliance.server.db.rows.task_runs import NewTaskRun, NewTaskState, StoredTaskRun, TaskRunColumns, TaskRunUpdate
from appliance.server.db.writes.task_runs import columns_of, update_of
from appliance.server.domain.report_budget import ReportBudget
from appliance.server.domain.run_protocol import is_one_too_many
from appliance.server.domain.sanitize import MAX_INDEX, MAX_SLUG, clean, clean_document
from appliance.server.domain.transitions import ends_task, task_may_follow
from appliance.server.errors import Invalid

LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
_LONGEST_NAME = 40


class GraphTask(NamedTuple):
    """What the registered flow says of a task."""

    name: str
    tags: list[str]
    mapped: bool


@dataclass
class Batch:
    """A report's events by kind. `tasks` holds the events of each task run in their order."""

    tasks: dict[UUID, list[TaskStateEvent]] = field(default_factory=dict)
    flow: list[StateChange] = field(default_factory=list)
    logs: list[NewLog] = field(default_factory=list)
    freed: list[tuple[str, int]] = field(default_factory=list)  # task runs that return their slots


@dataclass
class TaskRows:
    """The rows of task runs that a report makes: new ones, changed ones, and their histories."""

    new: list[NewTaskRun] = field(default_factory=list)
    changed: list[TaskRunUpdate] = field(default_factory=list)
    states: list[NewTaskState] = field(default_factory=list)
    endless: list[str] = field(default_factory=list)  # tasks with states that are not kept, since there are too many


def sort(flow_run_id: UUID, report: Report) -> Batch:
    """Check every event and sort it by kind; raises Invalid when one can't be stored."""
    if len(report.events) > MAX_EVENTS:
        raise Invalid(f"A report carries at most {MAX_EVENTS} events; send them in several.")
    if None in {event.at.tzinfo for event in report.events}:
        raise Invalid("The time of an event must have an offset.")
    tasks = [event for event in report.events if type(event) is TaskStateEvent]
    logs = [event for event in report.events if type(event) is LogEvent]
    places: dict[tuple[str, int], list[TaskStateEvent]] = {}
    for event in tasks:
        places.setdefault((event.slug, event.map_index), []).append(event)
    _check_places([*places, *((event.slug or "", event.map_index) for event in logs)])
    _check_states(tasks)
    return Batch(
        tasks=dict(zip(ids.derived_all(flow_run_id, places), places.values(), strict=True)),
        flow=[_flow_change(event) for event in report.events if type(event) is FlowStateEvent],
        logs=[log_row(flow_run_id, e.at, e.level, e.logger, e.message, e.slug, e.map_index) for e in logs],
        freed=[(event.slug, event.map_index) for event in tasks if event.freed],
    )


def _check_places(places: Sequence[tuple[str, int]]) -> None:
    slugs, indexes = {slug for slug, _ in places}, [index for _, index in places]
    if any(len(slug) > MAX_SLUG or "\0" in slug for slug in slugs) or not _in_range(indexes, -1):
        raise Invalid("An event names a task by a slug or map index that is out of range.")


def _check_states(events: Sequence[TaskStateEvent]) -> None:
    if any(len(name) > _LONGEST_NAME for name in {event.name for event in events}) or not _in_range(
        [event.run_count for event in events], 0
    ):
        raise Invalid("An event has the name of a state, or a run count, that is out of range.")


def _in_range(numbers: Sequence[int], least: int) -> bool:
    return not numbers or (least <= min(numbers) and max(numbers) <= MAX_INDEX)


def _flow_change(event: FlowStateEvent) -> StateChange:
    if len(event.name) > _LONGEST_NAME:
        raise Invalid(f"The name of a state is at most {_LONGEST_NAME} characters long.")
    data = None if event.data is None else clean_document(event.data)
    return StateChange(event.type, event.name, event.at, clean(event.message), data)


def log_row(
    flow_run_id: UUID, at: datetime, level: str, logger: str, message: str, slug: str | None = None, map_index: int = -1
) -> NewLog:
    """One log line as it is stored."""
    return {
        "flow_run_id": flow_run_id,
        "task_slug": slug,
        "map_index": map_index,
        "at": at,
        "level": LEVELS[level],
        "logger": clean(logger, 200),
        "message": clean(message),
    }


def task_rows(
    flow_run_id: UUID,
    attempt: int,
    tasks: Mapping[UUID, list[TaskStateEvent]],
    stored: Mapping[UUID, StoredTaskRun],
    graph: Mapping[str, GraphTask],
    now: datetime,
    most_states: int,
    budget: ReportBudget,
) -> TaskRows:
    """The rows to write: each task run once, however many events it has, and every accepted event in its history. Of more than
    `most_states`, only final ones; when the budget is spent, only these, without contents, of task runs that are stored."""
    rows, blank = TaskRows(), _blank(flow_run_id, now)
    for id, events in tasks.items():
        before = stored.get(id)
        new: NewTaskRun | None = None
        run: TaskRunColumns
        if before is None:
            run = new = _fresh(blank, id, events[0], graph)
        else:
            run = columns_of(before)
        version = run["version"]
        for event in events:
            if is_one_too_many(run["version"], event.type, event.name, most_states):
                rows.endless.append(event.slug)
            elif task_may_follow(run["state_type"], run["state_name"], run["attempt"] == attempt):
                if budget.admit(event.message, event.data, event.result_location, event.task_run_name):
                    rows.states.append(_apply(id, run, event, attempt))
                elif run["version"] and ends_task(event.type, event.name):
                    rows.states.append(_apply(id, run, _without_contents(event), attempt))
        if run["version"] == version:
            continue  # all of them came after its end, or did not fit
        if new is not None:
            rows.new.append(new)
        else:
            rows.changed.append(update_of(id, run))
    return rows


def _without_contents(event: TaskStateEvent) -> TaskStateEvent:
    """What is kept of an end that doesn't fit. Without its result, the task runs again if the run is resumed."""
    return structs.replace(event, message="", data=None, result_location=None, task_run_name=None)


def _blank(flow_run_id: UUID, now: datetime) -> NewTaskRun:
    """What new task runs have in common."""
    return {
        "id": flow_run_id,
        "flow_run_id": flow_run_id,
        "task_slug": "",
        "map_index": -1,
        "name": "",
        "state_type": "",
        "state_name": "",
        "state_message": "",
        "state_data": None,
        "state_at": now,
        "version": 0,
        "attempt": 0,
        "run_count": 0,
        "cache_key": None,
        "result_location": None,
        "tags": [],
        "start_time": None,
        "end_time": None,
        "created": now,
    }


def _fresh(blank: NewTaskRun, id: UUID, event: TaskStateEvent, graph: Mapping[str, GraphTask]) -> NewTaskRun:
    new, slug, index, task = blank.copy(), event.slug, event.map_index, graph.get(event.slug)
    new["id"], new["task_slug"], new["map_index"] = id, slug, index
    name, tags = (slug, []) if task is None else (task.name, task.tags)
    new["name"], new["tags"] = name if index < 0 else f"{name}[{index}]", tags
    return new


def _apply(id: UUID, run: TaskRunColumns, event: TaskStateEvent, attempt: int) -> NewTaskState:
    """Bring `run` to the event's state; the row of its history."""
    if run["attempt"] != attempt:
        run["attempt"], run["start_time"], run["end_time"] = attempt, None, None
    type, at = event.type, event.at
    message = clean(event.message) if event.message else ""
    data = None if event.data is None else clean_document(event.data)
    version = run["version"] = run["version"] + 1
    run["state_type"], run["state_name"], run["state_at"] = type, event.name, at
    run["state_message"], run["state_data"] = message, data
    if type == "RUNNING":
        run["start_time"] = run["start_time"] or at
        run["result_location"] = None  # what an earlier run of the task left behind is not this one's
    run["end_time"] = at if type in TERMINAL else None
    if event.run_count:
        run["run_count"] = event.run_count
    if event.result_location is not None:
        run["result_location"] = clean(event.result_location)
    if event.task_run_name:
        run["name"] = clean(event.task_run_name, 300)
    return {
        "task_run_id": id,
        "version": version,
        "attempt": attempt,
        "type": type,
        "name": event.name,
        "message": message,
        "data": data,
        "at": at,
    }
