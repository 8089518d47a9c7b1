"""Collects the log lines of runs, so that tests can check them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from appliance.core.logs import ROOT, RunContextFilter


class LogLines(logging.Handler):
    """What flows and tasks have logged, in order."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.addFilter(RunContextFilter())
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Store a record."""
        self.records.append(record)

    @property
    def messages(self) -> list[str]:
        """All messages, without time and level."""
        return [record.getMessage() for record in self.records]

    def of(self, slug: str, map_index: int | None = None) -> list[str]:
        """The messages that a task logged while it ran. For a mapped task: those of all children, or of one."""
        return [
            record.getMessage()
            for record in self.records
            if vars(record).get("task_slug") == slug and map_index in (None, vars(record).get("map_index"))
        ]


@contextmanager
def log_lines(level: int = logging.INFO) -> Iterator[LogLines]:
    """Collect the log lines of runs inside the block, at this level or higher."""
    logger, lines = logging.getLogger(ROOT), LogLines()
    before = logger.level
    logger.setLevel(level)
    logger.addHandler(lines)
    try:
        yield lines
    finally:
        logger.removeHandler(lines)
        logger.setLevel(before)
