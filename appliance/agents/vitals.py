"""What an agent notes of its own work, for its health and its metrics."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Literal
from uuid import UUID

from appliance.kit import clock
from appliance.protocol.agents import Held, Work

START_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds from the claim of a run to its start."""
Failure = Literal["run", "lacking", "agent"]
"""Why a start failed: because of the run, because what it asks for is not here, or because of the agent."""


class Vitals:
    """Usable from several threads. Times are those of the monotonic clock."""

    def __init__(self, name: str, slots: int) -> None:
        self.name, self.slots = name, slots
        self._lock = threading.Lock()
        self._claimed: dict[tuple[UUID, int], float] = {}
        self.beat_at = clock.monotonic()
        self.answered_at: float | None = None
        self.away = (
            "The server has not answered yet."  # why the server can't be asked now, in a sentence; empty if it can
        )
        self.rejected = ""  # why the server wants nothing to do with this agent
        self.idle = ""  # why no run can be started now
        self.exits_waiting: Callable[[], int] = lambda: 0  # how many ends of runs the server has not heard of yet
        self.claims = 0
        self.failed: dict[Failure, int] = {"run": 0, "lacking": 0, "agent": 0}
        self.start_counts = [0] * (len(START_BUCKETS) + 1)
        self.start_seconds = 0.0

    def beat(self) -> None:
        """The loop is alive."""
        self.beat_at = clock.monotonic()

    def answered(self, holding: Sequence[Held]) -> None:
        """The server has answered a claim of an agent that holds these attempts."""
        self.away = ""
        self.answered_at = clock.monotonic()
        self.claims += 1
        held = {(one.flow_run_id, one.attempt) for one in holding} if self._claimed else set()
        with self._lock:
            self._claimed = {key: at for key, at in self._claimed.items() if key in held}

    def claimed(self, work: Work) -> None:
        """An attempt is about to be started."""
        with self._lock:
            self._claimed[work.flow_run_id, work.attempt] = clock.monotonic()

    def started(self, work: Work) -> None:
        """It was started."""
        with self._lock:
            at = self._claimed.pop((work.flow_run_id, work.attempt), None)
            if at is not None:
                seconds = clock.monotonic() - at
                self.start_counts[bisect_left(START_BUCKETS, seconds)] += 1
                self.start_seconds += seconds

    def not_started(self, kind: Failure) -> None:
        """It was not."""
        with self._lock:
            self.failed[kind] += 1
