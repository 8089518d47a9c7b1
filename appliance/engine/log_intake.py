"""Takes log records for the run where they are made, in `logging.Logger`, so that no logging configuration can keep them from it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from appliance.core.logs import ROOT
from appliance.engine.output import streams

Take = Callable[[logging.LogRecord], None]
_TAKEN = "in_run_log"


@dataclass(frozen=True, slots=True)
class Levels:
    """The lowest level of the records that a run wants: from its own loggers, from all others, and from loggers by name."""

    own: int = logging.INFO
    others: int = logging.WARNING
    named: Mapping[str, int] = field(default_factory=dict)

    def want(self, logger: logging.Logger, level: int) -> bool:
        """A level by name applies to child loggers too. Levels that code has set can only add records of the run's own loggers, and
        only leave out records of others. The level of the root logger is of no interest, because any configuration changes it."""
        limit = self._level_by_name(logger.name) if self.named else None
        if limit is None:
            explicit = _explicit_level(logger)
            own = logger.name == ROOT or logger.name.startswith(f"{ROOT}.")
            limit = min(self.own, explicit or self.own) if own else max(self.others, explicit)
        return level >= limit

    def _level_by_name(self, name: str) -> int | None:
        while name and name not in self.named:
            name = name.rpartition(".")[0]
        return self.named.get(name or "root")


def _explicit_level(logger: logging.Logger) -> int:
    """The level that code has set for the logger or for the closest of its parents below the root."""
    at: logging.Logger | None = logger
    while at is not None and at.parent is not None:
        if at.level:
            return at.level
        at = at.parent
    return logging.NOTSET


@dataclass(frozen=True, slots=True, eq=False)
class Intake:
    """Who wants which records."""

    levels: Levels
    take: Take


_lock = threading.Lock()
_intakes: tuple[Intake, ...] = ()
_is_enabled, _handle, _handle_by = logging.Logger.isEnabledFor, logging.Logger.handle, logging.Handler.handle


@contextmanager
def intake(levels: Levels, take: Take) -> Iterator[None]:
    """Inside the block, pass each record that `levels` want to `take`, and then to its handlers as usual.

    What handlers then write to captured streams is dropped, because the run has it already.
    """
    one = Intake(levels, take)
    _change(lambda all_: (*all_, one))
    try:
        yield
    finally:
        _change(lambda all_: tuple(other for other in all_ if other is not one))


def replace(one: Intake | None) -> None:
    """Until the next call, this is the only intake of the process: for processes that work for the run of another one."""
    _change(lambda _: () if one is None else (one,))


def levels() -> Levels | None:
    """What the run of this process wants, for another process that does work for it; None if nothing is taken."""
    return _intakes[-1].levels if _intakes else None


def _change(change: Callable[[tuple[Intake, ...]], tuple[Intake, ...]]) -> None:
    global _intakes
    with _lock:
        _intakes = change(_intakes)
        on = bool(_intakes)
        logging.Logger.isEnabledFor = _enabled if on else _is_enabled  # type: ignore[method-assign]
        logging.Logger.handle = _take_and_handle if on else _handle  # type: ignore[method-assign]
        logging.Handler.handle = _handle_quietly if on else _handle_by  # type: ignore[method-assign]


def _enabled(self: logging.Logger, level: int) -> bool:
    return _is_enabled(self, level) or any(one.levels.want(self, level) for one in _intakes)


def _take_and_handle(self: logging.Logger, record: logging.LogRecord) -> None:
    wanting = [one for one in _intakes if one.levels.want(self, record.levelno)]
    if not wanting:
        if self.hasHandlers():  # without any, Python would print it, although the run doesn't want it
            _handle(self, record)
        return
    kept = self.filter(record)
    if not kept:
        return
    record = kept if isinstance(kept, logging.LogRecord) else record
    setattr(record, _TAKEN, True)
    for one in wanting:
        one.take(record)
    if _is_enabled(self, record.levelno):
        self.callHandlers(record)


def _handle_quietly(self: logging.Handler, record: logging.LogRecord) -> bool:
    if not hasattr(record, _TAKEN):
        return _handle_by(self, record)
    with streams.dropped():
        return _handle_by(self, record)
