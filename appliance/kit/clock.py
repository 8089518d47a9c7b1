"""The only module that reads the time. Everything else takes a time as an argument or asks here, so that tests can stop it.

Wall-clock times are timezone-aware and in UTC. Durations and deadlines inside a process use the monotonic clock, which is not
affected when an administrator sets the clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

_source: Callable[[], datetime] | None = None
_skip: Callable[[datetime], None] | None = None


def now() -> datetime:
    """The current time: timezone-aware, in UTC, with microseconds."""
    return datetime.now(UTC) if _source is None else _source()


def monotonic() -> float:
    """Seconds on a clock that never goes backwards. Only differences are meaningful."""
    return time.monotonic()


def sleep_until(at: datetime) -> None:
    """Block this thread until `at`. A change of the wall clock is noticed within a second."""
    if skip_to(at):
        return
    while (left := (at - now()).total_seconds()) > 0:
        time.sleep(min(left, 1.0))


def skip_to(at: datetime) -> bool:
    """Move a stopped clock that jumps over waits to `at`. Returns False if the clock is real, so that the caller must wait."""
    if _skip is None:
        return False
    _skip(at)
    return True


def parse(text: str) -> datetime:
    """Parse an ISO 8601 time. Raises ValueError if it has no UTC offset, or is out of range in UTC."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset; write it like 2026-01-31T06:30:00+00:00")
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is out of range; write a year from 2 to 9998") from error


def isoformat(value: datetime) -> str:
    """ISO 8601 in UTC with microseconds and a trailing Z: the only text format for times."""
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return value.isoformat(timespec="microseconds")[:26] + "Z"


@contextmanager
def stopped(source: Callable[[], datetime], skip: Callable[[datetime], None] | None = None) -> Iterator[None]:
    """Inside the block, take the time from `source` in every thread. For tests and simulations only. With `skip`, code that would
    wait for a time calls it instead."""
    global _source, _skip
    before, (_source, _skip) = (_source, _skip), (source, skip)
    try:
        yield
    finally:
        _source, _skip = before
