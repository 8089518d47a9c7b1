"""What a service is: one chore that never ends, done in rounds."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, runtime_checkable


class Service(Protocol):
    """`run_once` does what is due at `now` and says how much that was; doing it twice, or in two processes at once, does no harm."""

    name: str
    interval: float

    def run_once(self, now: datetime) -> dict[str, int]: ...


@runtime_checkable
class MindsTheClock(Protocol):
    """A service that must know when the wall clock was set ahead or back; told before its next round."""

    def clock_moved(self, now: datetime) -> None: ...
