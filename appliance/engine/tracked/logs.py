"""Sends the log lines of a run to the server, with a logging handler that passes records to the reporter."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from appliance.core.logs import ROOT, RunContextFilter
from appliance.engine.tracked.reporter import Reporter


class RunLogHandler(logging.Handler):
    """Reports each record with the task that wrote it."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__()
        self._reporter = reporter
        self.addFilter(RunContextFilter())

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
            if record.exc_info:
                message = f"{message}\n{logging.Formatter().formatException(record.exc_info)}"
        except Exception:  # noqa: BLE001 - user arguments; logging reports these in its own way
            self.handleError(record)
            return
        at = datetime.fromtimestamp(record.created, UTC)
        slug, map_index = getattr(record, "task_slug", None), getattr(record, "map_index", -1)
        self._reporter.log(at, record.levelno, record.name, message, slug, map_index)


@contextmanager
def reported(reporter: Reporter) -> Iterator[None]:
    """Inside the block, also report the lines of `appliance.run` and its child loggers to the server."""
    logger = logging.getLogger(ROOT)
    handler = RunLogHandler(reporter)
    before = logger.level
    if before == logging.NOTSET:
        logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
