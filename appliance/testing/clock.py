"""A clock that stands still and jumps ahead when a flow waits, so that retries and schedules take no time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from appliance.kit import clock

_START = datetime(2026, 1, 31, 12, tzinfo=UTC)


class StoppedClock:
    """The time of a test. `now` is aware and in UTC; `waits` lists how long the flow would have waited, in order."""

    def __init__(self, start: datetime = _START) -> None:
        """Raises ValueError for a start without an offset from UTC."""
        if start.tzinfo is None:
            raise ValueError(
                "The start of a stopped clock needs an offset from UTC: datetime(2026, 1, 31, tzinfo=UTC)."
            )
        self._now = start.astimezone(UTC)
        self._lock = threading.Lock()
        self.waits: list[timedelta] = []

    @property
    def now(self) -> datetime:
        """What the flow takes for the present."""
        return self._now

    def move(self, by: timedelta | float) -> None:
        """Let time pass: a timedelta or seconds."""
        with self._lock:
            self._now += by if isinstance(by, timedelta) else timedelta(seconds=by)

    def skip_to(self, at: datetime) -> None:
        """What a wait until `at` comes to: time is then `at`, or as late as it was."""
        with self._lock:
            if at > self._now:
                self.waits.append(at - self._now)
                self._now = at.astimezone(UTC)


@contextmanager
def stopped_clock(start: datetime = _START) -> Iterator[StoppedClock]:
    """Inside the block time passes only when a flow waits for a retry, a pause or its schedule, and then at once.

    It is the time that flows see: their schedules, retries, caches and `context`. Your own code that asks Python for the time, or
    sleeps, isn't affected, nor are timeouts of tasks.
    """
    found = StoppedClock(start)
    with clock.stopped(lambda: found.now, found.skip_to):
        yield found
