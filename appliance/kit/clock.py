"""The only module that reads the time. Everything else is given a time or asks here, so tests can stop it.

Wall-clock times are timezone-aware UTC; durations and deadlines inside a process use the monotonic clock,
which an administrator's clock step can't move.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

_source: Callable[[], datetime] | None = None
_skip: Callable[[datetime], None] | None = None


def now() -> datetime:
    """The current time, aware, in UTC, with microseconds."""
    return datetime.now(UTC) if _source is None else _source()


def monotonic() -> float:
    """Seconds on a clock that never goes back; only differences mean anything."""
    return time.monotonic()


def sleep_until(at: datetime) -> None:
    """Wait in this thread until `at` has come. A step of the wall clock is noticed within a second."""
    if skip_to(at):
        return
    while (left := (at - now()).total_seconds()) > 0:
        time.sleep(min(left, 1.0))


def skip_to(at: datetime) -> bool:
    """Under a stopped clock that moves when somebody waits: move it to `at`. False: time passes by itself, so wait."""
    if _skip is None:
        return False
    _skip(at)
    return True


def parse(text: str) -> datetime:
    """Read an ISO 8601 time; a time without an offset is refused with ValueError."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset; write it like 2026-01-31T06:30:00+00:00")
    return value.astimezone(UTC)


def isoformat(value: datetime) -> str:
    """ISO 8601 in UTC with microseconds and a trailing Z: the one text form of a time."""
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return value.isoformat(timespec="microseconds")[:26] + "Z"


@contextmanager
def stopped(source: Callable[[], datetime], skip: Callable[[datetime], None] | None = None) -> Iterator[None]:
    """Take the time from `source` inside the block, in every thread: for tests and simulations only. With `skip`, who waits
    for a time calls it instead of waiting."""
    global _source, _skip
    before, (_source, _skip) = (_source, _skip), (source, skip)
    try:
        yield
    finally:
        _source, _skip = before
