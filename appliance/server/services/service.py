"""What a service is: one chore that never ends, done in rounds."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Service(Protocol):
    """`run_once` does what is due at `now` and says how much that was; doing it twice, or in two processes at once, does no harm."""

    name: str
    interval: float

    def run_once(self, now: datetime) -> dict[str, int]: ...
