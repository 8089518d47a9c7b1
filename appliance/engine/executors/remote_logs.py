"""Sends log records and artifacts from a worker process to the flow's process, where they are handled as if they had been made there."""

from __future__ import annotations

import base64
import logging
import os
import sys
from collections.abc import Callable
from contextvars import Token
from dataclasses import fields as names_of
from typing import Any

from appliance.core import artifacts
from appliance.core.logs import ROOT, RunContextFilter, text_of, trace_of
from appliance.engine import log_intake
from appliance.kit.logs import PlainFormatter

Fields = dict[str, Any]
Levels = tuple[int, int, tuple[int, int, dict[str, int]] | None]
_PLAIN = (str, int, float, bool, type(None))
_ARTIFACT = "artifact"
_SILENT = logging.NullHandler()
_formatter = PlainFormatter()


def levels() -> Levels:
    """The levels from which this process handles records, of all loggers and of the run's logger, and what a tracked run wants."""
    taken = log_intake.levels()
    return (
        logging.getLogger().getEffectiveLevel(),
        logging.getLogger(ROOT).getEffectiveLevel(),
        None if taken is None else (taken.own, taken.others, dict(taken.named)),
    )


class Forwarder(logging.Handler):
    """Forwards each record as a dict of plain values. The worker's forked children print theirs, because the channel isn't theirs."""

    def __init__(self, send: Callable[[Fields], None]) -> None:
        super().__init__()
        self._send = send
        self._pid = os.getpid()
        self.addFilter(RunContextFilter())

    def emit(self, record: logging.LogRecord) -> None:
        if os.getpid() != self._pid:
            print(_formatter.format(record), file=sys.stderr)  # noqa: T201
            return
        try:
            fields = {key: value for key, value in vars(record).items() if type(value) in _PLAIN}
            fields |= {"msg": text_of(record), "args": None, "exc_text": trace_of(record) or None, "stack_info": None}
            self._send(fields)
        except Exception:  # noqa: BLE001 - a closed channel; logging reports this in its own way
            self.handleError(record)

    def send(self, record: logging.LogRecord) -> None:
        """Forward a record that no handler has seen."""
        if self.filter(record):
            self.emit(record)


def forward(levels: Levels, handler: Forwarder) -> None:
    """From now on, send the records of this process: those that a tracked run wants, or else those that its process would handle."""
    everything, run, taken = levels
    logging.getLogger(ROOT).setLevel(run)
    if taken is None:
        log_intake.replace(None)
        logging.root.addHandler(handler)  # has no effect if it has been added before
        logging.root.setLevel(min(logging.root.level, everything))
    else:
        logging.root.removeHandler(handler)
        logging.root.addHandler(_SILENT)  # otherwise Python would print warnings, too
        log_intake.replace(log_intake.Intake(log_intake.Levels(*taken), handler.send))


def forward_artifacts(send: Callable[[Fields], None]) -> Token[Any]:
    """From now on, send the artifacts that code in this context makes, but not those of processes that it forks."""

    def take(artifact: artifacts.Artifact) -> None:
        values = {field.name: getattr(artifact, field.name) for field in names_of(artifact)}
        send({_ARTIFACT: values | {"content": base64.b64encode(artifact.content).decode()}})

    return artifacts.elsewhere.set((os.getpid(), take))


def replay(fields: Fields) -> None:
    """Handle a record that was written elsewhere, or an artifact. Called in the thread and context of the task that made it."""
    if _ARTIFACT in fields:
        values = fields[_ARTIFACT]
        artifacts.take(artifacts.Artifact(**values | {"content": base64.b64decode(values["content"])}))
        return
    logger = logging.getLogger(fields["name"])
    if logger.isEnabledFor(fields["levelno"]):
        logger.handle(logging.makeLogRecord(fields))
