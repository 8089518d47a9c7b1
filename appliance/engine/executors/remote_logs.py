"""Sends log records from a worker process to the flow's process, where they are handled as if they had been written there."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

from appliance.core.logs import ROOT, RunContextFilter

Fields = dict[str, Any]
Levels = tuple[int, int]
_PLAIN = (str, int, float, bool, type(None))
_formatter = logging.Formatter()


def levels() -> Levels:
    """The levels from which this process wants records: for all loggers, and for the run's logger."""
    return logging.getLogger().getEffectiveLevel(), logging.getLogger(ROOT).getEffectiveLevel()


class Forwarder(logging.Handler):
    """Forwards each record as a dict of plain values. Records of the worker's forked children are dropped."""

    def __init__(self, send: Callable[[Fields], None]) -> None:
        super().__init__()
        self._send = send
        self._pid = os.getpid()
        self.addFilter(RunContextFilter())

    def emit(self, record: logging.LogRecord) -> None:
        if os.getpid() != self._pid:
            return
        try:
            fields = {key: value for key, value in vars(record).items() if type(value) in _PLAIN}
            fields |= {"msg": record.getMessage(), "args": None}
            if record.exc_info and not record.exc_text:
                fields["exc_text"] = _formatter.formatException(record.exc_info)
            self._send(fields)
        except Exception:  # noqa: BLE001 - user arguments or a closed channel; logging reports these in its own way
            self.handleError(record)


def replay(fields: Fields) -> None:
    """Handle a record that was written elsewhere. Called in the thread and context of the task that wrote it."""
    logger = logging.getLogger(fields["name"])
    if logger.isEnabledFor(fields["levelno"]):
        logger.handle(logging.makeLogRecord(fields))
