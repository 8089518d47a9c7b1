"""`appliance.context`: what code can ask about the run and the task it is in."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import product
from typing import Any

from appliance.core.logs import get_logger
from appliance.core.run_context import current_flow_run, current_task_run

_FLOW_RUN_KEYS = ("flow_name", "parameters", "flow_run_id", "flow_run_name", "scheduled_start_time")
_TASK_RUN_KEYS = (
    *("map_index", "resume", "task_full_name", "task_loop_count", "task_loop_result", "task_name"),
    *("task_run_count", "task_run_id", "task_run_name", "task_slug", "task_tags"),
)
_DAYS = {"today": 0, "yesterday": -1, "tomorrow": 1}
KEYS = (
    *(*_FLOW_RUN_KEYS, *_TASK_RUN_KEYS, "date"),
    *(f"{day}{form}" for day, form in product(("today", "yesterday", "tomorrow"), ("", "_nodash"))),
)
"""All names but `logger` and those that a run adds: the same in local runs, under an agent, and in templates."""


class RunContext:
    """Read-only view of the run that the calling code is in: `context.parameters["n"]`, `context.map_index`, `context.today`..."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(f"The run context has no {name!r}; it exists only inside a running flow.") from error

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("The run context is read-only.")

    def __getitem__(self, name: str) -> Any:
        task_run = current_task_run.get()
        flow_run = task_run.flow_run if task_run is not None else current_flow_run.get()
        if name == "logger":
            return get_logger(None if task_run is None else task_run.task_name)
        if task_run is not None and name in _TASK_RUN_KEYS:
            return getattr(task_run, name)
        if flow_run is None:
            raise KeyError(name)
        if name in flow_run.extra:
            return flow_run.extra[name]
        if name in _FLOW_RUN_KEYS:
            return getattr(flow_run, name)
        return _dates(flow_run.date, name)

    def __contains__(self, name: str) -> bool:
        return self.get(name, _MISSING) is not _MISSING

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default


def _dates(date: datetime, name: str) -> Any:
    if name == "date":
        return date
    plain = name.removesuffix("_nodash")
    if plain not in _DAYS:
        raise KeyError(name)
    return (date + timedelta(days=_DAYS[plain])).strftime("%Y-%m-%d" if plain == name else "%Y%m%d")


_MISSING = object()
context = RunContext()
