"""Keeps an agent from taking runs after its starts have failed in a row for reasons of its own, such as a full disk: it would only spoil them."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from appliance.kit import clock
from appliance.kit.backoff import delays

IN_A_ROW = 3
"""So many failed starts are no accident."""
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 600.0
"""Seconds. After each pause, one run is tried."""
_OF_THE_MACHINE = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
)


def is_of_the_machine(error: OSError) -> bool:
    """Whether any run would have failed here with this error, and may start elsewhere or later."""
    return error.errno in _OF_THE_MACHINE


class Quarantine:
    """Counts failed starts. Usable from several threads."""

    def __init__(self, monotonic: Callable[[], float] = clock.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._until, self._problem = 0.0, ""
        self._ends = clock.now()
        self.started()

    def started(self) -> None:
        """A run was started."""
        with self._lock:
            self._failed = 0
            self._pauses = delays(FIRST_PAUSE, LONGEST_PAUSE)

    def failed(self, reason: str, ahead: float = 0.0) -> None:
        """A start has failed for this reason, a sentence, which is not the run's. `ahead`: how many seconds this clock is ahead of the server's."""
        with self._lock:
            self._failed += 1
            if self._failed < IN_A_ROW or self.problem:
                return
            pause = next(self._pauses)
            self._until = self._monotonic() + pause
            self._ends = clock.now() + timedelta(seconds=pause - ahead)
            self._problem = (
                f"It takes no runs for {pause:.0f} s, because {self._failed} starts in a row have failed here: {reason}"
            )

    @property
    def problem(self) -> str:
        """Why the agent takes no runs, in a sentence; empty if it does."""
        return self._problem if self._monotonic() < self._until else ""

    @property
    def ends(self) -> datetime | None:
        """When it takes runs again, by the server's clock; None if it does."""
        return self._ends if self.problem else None

    def slots(self, free: int) -> int:
        """How many of the free slots may be filled now."""
        if self.problem:
            return 0
        return free if self._failed < IN_A_ROW else min(free, 1)
