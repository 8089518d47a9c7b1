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


def now() -> datetime:
    """The current time, aware, in UTC, with microseconds."""
    return datetime.now(UTC) if _source is None else _source()


def monotonic() -> float:
    """Seconds on a clock that never goes back; only differences mean anything."""
    return time.monotonic()


def sleep_until(at: datetime) -> None:
    """Wait in this thread until `at` has come. A step of the wall clock is noticed within a second."""
    while (left := (at - now()).total_seconds()) > 0:
        time.sleep(min(left, 1.0))


def parse(text: str) -> datetime:
    """Read an ISO 8601 time; a time without an offset is refused with ValueError."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset; write it like 2026-01-31T06:30:00+00:00")
    return value.astimezone(UTC)


def isoformat(value: datetime) -> str:
    """ISO 8601 in UTC with microseconds and a trailing Z: the one text form of a time."""
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@contextmanager
def stopped(source: Callable[[], datetime]) -> Iterator[None]:
    """Take the time from `source` inside the block, in every thread: for tests and simulations only."""
    global _source
    before, _source = _source, source
    try:
        yield
    finally:
        _source = before
