"""`appliance.context`: what code can ask about the run and the task it is in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import product
from typing import Any

from appliance.core.copies import is_container, own
from appliance.core.run_context import FlowRunContext, TaskRunContext, current_flow_run, current_task_run

_FLOW_RUN_KEYS = (
    *("flow_name", "parameters", "flow_run_id", "flow_run_name", "scheduled_start_time"),
    "running_with_backend",
)
TASK_RUN_KEYS = (
    *("map_index", "resume", "task_full_name", "task_loop_count", "task_loop_result", "task_name"),
    *("task_run_count", "task_run_id", "task_run_name", "task_slug", "task_tags"),
)
_DAYS = {"today": 0, "yesterday": -1, "tomorrow": 1}
KEYS = (
    *(*_FLOW_RUN_KEYS, *TASK_RUN_KEYS, "date"),
    *(f"{day}{form}" for day, form in product(("today", "yesterday", "tomorrow"), ("", "_nodash"))),
)
"""All names but `logger` and those that a run adds: the same in local runs, under an agent, and in templates."""
_UNSET = {"map_index": -1, "resume": False}


class RunContext(Mapping[str, Any]):
    """Read-only view of the run that the calling code is in: `context.parameters["n"]`, `context.map_index`, `context.today`...
    Small collections in it are copies, as a task's arguments are: each attempt of a task has its own, the same one at every access.

    As a mapping it has only what is set, so that the default of `context.get("task_loop_result", 0)` counts in the first round of
    a loop. As an attribute, what a task run has not set is None; `map_index` is then -1 and `resume` is False.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return _value(name)
        except KeyError as error:
            raise AttributeError(f"The run context has no {name!r}; it exists only inside a running flow.") from error

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("The run context is read-only.")

    def __getitem__(self, name: str) -> Any:
        value = _value(name)
        if not _is_set(name, value):
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        run = _flow_run()
        extra = () if run is None else run.extra
        return (name for name in dict.fromkeys(("logger", *KEYS, *extra)) if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _value(name: str) -> Any:
    """Raises KeyError for what doesn't exist where the caller is."""
    task_run, flow_run = current_task_run.get(), _flow_run()
    if name == "logger":
        from appliance.core.logs import get_logger

        return get_logger(None if task_run is None else task_run.task_name)
    if task_run is not None and name in TASK_RUN_KEYS:
        return _own(task_run, name, getattr(task_run, name))
    if flow_run is None:
        raise KeyError(name)
    if name in flow_run.extra:
        return _own(task_run, name, flow_run.extra[name])
    if name == "parameters":
        return _own(task_run, name, flow_run.parameters)
    if name in _FLOW_RUN_KEYS:
        return getattr(flow_run, name)
    return _dates(flow_run.date, name)


def _own(task_run: TaskRunContext | None, name: str, value: Any) -> Any:
    """A copy of a collection: one for each attempt of a task, outside tasks one for each access."""
    if name != "parameters" and not is_container(value):
        return value
    if task_run is None:
        return _copy(name, value)
    if task_run.own_values is None:
        task_run.own_values = {}
    if name in task_run.own_values:
        return task_run.own_values[name]
    return task_run.own_values.setdefault(name, _copy(name, value))  # another thread of the task may have been faster


def _copy(name: str, value: Any) -> Any:
    return {key: own(item) for key, item in value.items()} if name == "parameters" else own(value)


def _is_set(name: str, value: Any) -> bool:
    run = current_task_run.get()
    if run is not None and name == "task_loop_result":
        return run.task_loop_count > 1
    if run is not None and name in _UNSET:
        return bool(value != _UNSET[name])
    return value is not None or (name not in TASK_RUN_KEYS and name not in _FLOW_RUN_KEYS)


def _flow_run() -> FlowRunContext | None:
    task_run = current_task_run.get()
    return task_run.flow_run if task_run is not None else current_flow_run.get()


def _dates(date: datetime, name: str) -> Any:
    if name == "date":
        return date
    plain = name.removesuffix("_nodash")
    if plain not in _DAYS:
        raise KeyError(name)
    return (date + timedelta(days=_DAYS[plain])).strftime("%Y-%m-%d" if plain == name else "%Y%m%d")


context = RunContext()
