"""Calls a function from another thread when a block of the main thread takes too long, even while the block waits in C."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import Context

from appliance.kit import clock


class _Guard:
    """One block that is being watched."""

    __slots__ = ("action", "at", "every")

    def __init__(self, action: Callable[[], None], at: float, every: float) -> None:
        self.action, self.at, self.every = action, at, every


class _Watchdog:
    """One thread for all blocks, because starting a thread for each would cost more than most tasks take."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._guards: set[_Guard] = set()
        self._wakes_at: float | None = None
        self._started = False

    @contextmanager
    def watch(self, guard: _Guard) -> Iterator[None]:
        try:
            with self._changed:
                self._guards.add(guard)
                if not self._started:
                    # In a context of its own, so that the thread doesn't belong to the task that happens to be the first.
                    Context().run(threading.Thread(target=self._serve, name="appliance-watchdog", daemon=True).start)
                    self._started = True
                elif self._wakes_at is None or guard.at < self._wakes_at:
                    self._changed.notify()
            yield
        finally:
            with self._changed:  # after an action that has begun, so that it doesn't touch what comes next
                self._guards.discard(guard)

    def _serve(self) -> None:
        with self._changed:
            while True:
                now = clock.monotonic()
                for guard in self._guards:
                    if guard.at <= now:
                        guard.action()
                        guard.at = now + guard.every
                self._wakes_at = min((guard.at for guard in self._guards), default=None)
                left = None if self._wakes_at is None else min(self._wakes_at - now, threading.TIMEOUT_MAX)
                self._changed.wait(left)


_watchdog = _Watchdog()


def _renew() -> None:
    """A forked process has no threads but the one that forked it."""
    global _watchdog
    _watchdog = _Watchdog()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


def watched(action: Callable[[], None], after: float, every: float) -> AbstractContextManager[None]:
    """If the block takes longer than `after` seconds, call `action`, and again `every` so many seconds until the block ends."""
    return _watchdog.watch(_Guard(action, clock.monotonic() + after, every))
