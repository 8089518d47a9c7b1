"""What the run's log keeps of a record. Code may give its records any attributes and any values, and none of them may stop the run."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from appliance.core.run_context import current_task_run
from appliance.kit import clock

_LARGEST_INDEX = 2**31


def time_of(record: logging.LogRecord) -> datetime:
    try:
        return datetime.fromtimestamp(record.created, UTC)
    except (TypeError, ValueError, OverflowError, OSError):  # not a time
        return clock.now()


def level_of(record: logging.LogRecord) -> int:
    return record.levelno if isinstance(record.levelno, int) else logging.INFO


def task_of(record: logging.LogRecord) -> tuple[str | None, int]:
    """The slug and the map index of the task that the record belongs to. A record may come from another process, with both."""
    slug, map_index = getattr(record, "task_slug", None), getattr(record, "map_index", -1)
    if (slug is None or isinstance(slug, str)) and isinstance(map_index, int) and -1 <= map_index < _LARGEST_INDEX:
        return slug, map_index
    run = current_task_run.get()
    return (None, -1) if run is None else (run.task_slug, run.map_index)
