"""The log lines of runs, for tests to look at."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from appliance.core.logs import ROOT, RunContextFilter


class LogLines(logging.Handler):
    """What was logged by flows and tasks, in order."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.addFilter(RunContextFilter())
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.records.append(record)

    @property
    def messages(self) -> list[str]:
        """All lines, without time and level."""
        return [record.getMessage() for record in self.records]

    def of(self, slug: str, map_index: int | None = None) -> list[str]:
        """The lines that a task wrote while it ran; of a mapped one those of all children, or of one."""
        return [
            record.getMessage()
            for record in self.records
            if vars(record).get("task_slug") == slug and map_index in (None, vars(record).get("map_index"))
        ]


@contextmanager
def log_lines(level: int = logging.INFO) -> Iterator[LogLines]:
    """Collect the lines of runs inside the block, of this level or above."""
    logger, lines = logging.getLogger(ROOT), LogLines()
    before = logger.level
    logger.setLevel(level)
    logger.addHandler(lines)
    try:
        yield lines
    finally:
        logger.removeHandler(lines)
        logger.setLevel(before)
