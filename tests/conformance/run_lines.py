"""The lines that the tasks of a run print and log, of a tracked run and of an untracked one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from appliance.client import flow_runs
from appliance.client.transport import Transport
from appliance.core.logs import ROOT, get_logger, message_of

Lines = dict[tuple[str | None, int], list[str]]
"""What each task run has printed or logged as `suite`, in order."""


def server_lines(client: Transport, run: UUID) -> Lines:
    """What the task runs logged, as the server knows it."""
    lines: Lines = {}
    for one in flow_runs.logs(client, run):
        _add(lines, one.logger, (one.task_slug, one.map_index), one.message)
    return lines


class Log(logging.Handler):
    """What the task runs of untracked runs log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: Lines = {}

    def emit(self, record: logging.LogRecord) -> None:
        _add(self.lines, record.name, (vars(record)["task_slug"], vars(record)["map_index"]), message_of(record))

    @contextmanager
    def of_runs(self) -> Iterator[None]:
        logger = get_logger()
        before = logger.level
        logger.addHandler(self)
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.setLevel(before)
            logger.removeHandler(self)


def _add(lines: Lines, logger: str, task_run: tuple[str | None, int], line: str) -> None:
    if logger == f"{ROOT}.suite" or logger.endswith(".stdout"):
        lines.setdefault(task_run, []).append(line)
