"""The contract of a service: one chore that never ends, done in rounds."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Service(Protocol):
    """`run_once` does the work that is due at `now` and returns counts. Running it twice, or in two processes at once, is harmless."""

    name: str
    interval: float

    def run_once(self, now: datetime) -> dict[str, int]: ...
