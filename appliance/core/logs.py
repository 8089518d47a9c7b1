"""The loggers of runs: `appliance.run` and one child per task. Records know the task that wrote them."""

from __future__ import annotations

import logging

from appliance.core.context import current_task_run

ROOT = "appliance.run"


class RunContextFilter(logging.Filter):
    """Adds `task_slug` (None outside a task) and `map_index` (-1 outside a mapped child) to every record that passes."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "task_slug"):
            run = current_task_run.get()
            record.task_slug = None if run is None else run.task_slug
            record.map_index = -1 if run is None else run.map_index
        return True


_filter = RunContextFilter()


def get_logger(name: str | None = None) -> logging.Logger:
    """The logger whose lines belong to the run; with a name, its child for that part of your code."""
    logger = logging.getLogger(ROOT if not name else f"{ROOT}.{name}")
    logger.addFilter(_filter)  # does nothing when it is there already
    return logger
