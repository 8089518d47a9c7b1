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


def text_of(record: logging.LogRecord) -> str:
    """The message of a record. If its arguments don't fit, the message says so and where to look."""
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - arguments of the user's
        return _unformatted(record, error)


def trace_of(record: logging.LogRecord) -> str:
    """The traceback and the stack below a record's message."""
    trace = record.exc_text or (_formatter.formatException(record.exc_info) if record.exc_info else "")
    return "\n".join(part for part in (trace, record.stack_info) if part)


def message_of(record: logging.LogRecord) -> str:
    """The whole text of a record."""
    text, trace = text_of(record), trace_of(record)
    return f"{text}\n{trace}" if trace else text


def _unformatted(record: logging.LogRecord, error: Exception) -> str:
    try:
        call = f"{record.msg!r} with the arguments {record.args!r}"
    except Exception:  # noqa: BLE001 - a __repr__ of the user's
        call = "a message"
    place = f"{record.pathname}:{record.lineno}"
    return f"Logging error at {place}: {call} can't be formatted: {type(error).__name__}: {error}"


def _mask(record: logging.LogRecord) -> None:
    """Replace message and arguments by the masked text when it, or what follows it, contains a secret."""
    text = message_of(record)
    masked = masking.mask(text)
    if masked != text:
        record.msg, record.args = masked, None
        record.exc_info = record.exc_text = record.stack_info = None


_filter = RunContextFilter()


def get_logger(name: str | None = None) -> logging.Logger:
    """The logger whose lines belong to the run; with a name, its child for that part of your code."""
    logger = logging.getLogger(ROOT if not name else f"{ROOT}.{name}")
    logger.addFilter(_filter)  # does nothing when it is there already
    logger.disabled = False  # as dictConfig and fileConfig do by default to every logger that they don't name
    return logger
