"""The loggers of runs: `appliance.run` and one child per task. Records know the task that wrote them and show no secrets."""

from __future__ import annotations

import logging

from appliance.core import masking
from appliance.core.run_context import current_task_run

ROOT = "appliance.run"


class RunContextFilter(logging.Filter):
    """Adds `task_slug` (None outside a task) and `map_index` (-1 outside a mapped child) to every record that passes, and masks
    the secrets in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "task_slug"):
            run = current_task_run.get()
            record.task_slug = None if run is None else run.task_slug
            record.map_index = -1 if run is None else run.map_index
        if masking.hidden():
            _mask(record)
        return True


_formatter = logging.Formatter()


def _mask(record: logging.LogRecord) -> None:
    """Replace message and arguments by the masked text when it, or the traceback below it, contains a secret."""
    try:
        text = record.getMessage()
        trace = record.exc_text or (_formatter.formatException(record.exc_info) if record.exc_info else "")
    except Exception:  # noqa: BLE001 - arguments of the user's that can't be printed: the handlers will say so
        return
    masked_text, masked_trace = masking.mask(text), masking.mask(trace)
    if masked_text != text:
        record.msg, record.args = masked_text, None
    if masked_trace != trace:
        record.msg, record.args = f"{masked_text}\n{masked_trace}", None
        record.exc_info = record.exc_text = None


_filter = RunContextFilter()


def get_logger(name: str | None = None) -> logging.Logger:
    """The logger whose lines belong to the run; with a name, its child for that part of your code."""
    logger = logging.getLogger(ROOT if not name else f"{ROOT}.{name}")
    logger.addFilter(_filter)  # does nothing when it is there already
    return logger
