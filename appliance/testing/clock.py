"""A clock that stands still and jumps ahead when a flow waits, so that retries and schedules take no time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from appliance.kit import clock

_START = datetime(2026, 1, 31, 12, tzinfo=UTC)


class StoppedClock:
    """The clock of a test. `now` is timezone-aware and in UTC; `waits` lists how long the flow would have waited, in order."""

    def __init__(self, start: datetime = _START) -> None:
        """Raises ValueError if `start` has no UTC offset."""
        if start.tzinfo is None:
            raise ValueError(
                "The start of a stopped clock needs an offset from UTC; write it like datetime(2026, 1, 31, tzinfo=UTC)."
            )
        self._now = start.astimezone(UTC)
        self._lock = threading.Lock()
        self.waits: list[timedelta] = []

    @property
    def now(self) -> datetime:
        """The current time as the flow sees it."""
        return self._now

    def move(self, by: timedelta | float) -> None:
        """Move the clock forward by a timedelta or by seconds."""
        with self._lock:
            self._now += by if isinstance(by, timedelta) else timedelta(seconds=by)

    def skip_to(self, at: datetime) -> None:
        """Jump to `at` instead of waiting for it. The clock never goes backwards."""
        with self._lock:
            if at > self._now:
                self.waits.append(at - self._now)
                self._now = at.astimezone(UTC)


@contextmanager
def stopped_clock(start: datetime = _START) -> Iterator[StoppedClock]:
    """Inside the block, time passes only when a flow waits for a retry, a pause, or its schedule, and then it jumps ahead.

    This is the time that flows see: their schedules, retries, caches, and `context`. Your own code that gets the time from Python
    or sleeps is not affected; neither are task timeouts.
    """
    stopped = StoppedClock(start)
    with clock.stopped(lambda: stopped.now, stopped.skip_to):
        yield stopped
