"""Running totals of what the outbox says about runs, for the counters of /metrics."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

import msgspec

from appliance.kit.documents import JsonDocument
from appliance.protocol.states import TERMINAL

DELAY_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""In seconds."""
MEMORY_BUCKETS = tuple(float(2**power) for power in range(26, 38))
"""From 64 MB to 128 GB, each twice the one before."""


class RunEvent(Protocol):
    """An event of the outbox with the times of its run; they are None for other events and for runs that are gone."""

    @property
    def id(self) -> int: ...
    @property
    def at(self) -> datetime: ...
    @property
    def kind(self) -> str: ...
    @property
    def data(self) -> JsonDocument: ...
    @property
    def scheduled_time(self) -> datetime | None: ...
    @property
    def created(self) -> datetime | None: ...


class Distribution(msgspec.Struct):
    """How many values were up to each of some bounds, and their sum. The last number is that of the values above all bounds."""

    counts: list[int]
    sum: float = 0.0

    def add(self, value: float, bounds: tuple[float, ...]) -> None:
        self.counts[bisect_left(bounds, value)] += 1
        self.sum += value

    def buckets(self, bounds: tuple[float, ...]) -> list[tuple[str, float]]:
        """Cumulative counts, as Prometheus expects."""
        buckets: list[tuple[str, float]] = []
        total = 0
        for bound, number in zip((*bounds, float("inf")), self.counts, strict=True):
            total += number
            buckets.append(("+Inf" if bound == float("inf") else repr(bound), float(total)))
        return buckets


def _delays() -> Distribution:
    return Distribution([0] * (len(DELAY_BUCKETS) + 1))


def _peaks() -> Distribution:
    return Distribution([0] * (len(MEMORY_BUCKETS) + 1))


class RunTotals(msgspec.Struct):
    """Runs created, runs finished by state type, how late runs started, and what their attempts have used, up to an event."""

    last: int = 0
    created: int = 0
    finished: dict[str, int] = {}
    delays: Distribution = msgspec.field(default_factory=_delays)
    cpu_seconds: float = 0.0
    peaks: Distribution = msgspec.field(default_factory=_peaks)

    def __post_init__(self) -> None:
        """Raises ValueError for totals that were stored with other buckets."""
        if (len(self.delays.counts), len(self.peaks.counts)) != (len(DELAY_BUCKETS) + 1, len(MEMORY_BUCKETS) + 1):
            raise ValueError("These totals have other buckets.")

    def add(self, events: Iterable[RunEvent]) -> None:
        """Count the next events. Those that are counted already are left out."""
        for event in events:
            if event.id <= self.last:
                continue
            self.last = event.id
            if event.kind == "flow_run.state":
                self._add_state(event)
            elif event.kind == "flow_run.usage":
                self._add_usage(event.data)

    def _add_state(self, event: RunEvent) -> None:
        kind = event.data.get("type")
        if event.data.get("version") == 1:
            self.created += 1
        if kind in TERMINAL:
            self.finished[kind] = self.finished.get(kind, 0) + 1
        elif kind == "RUNNING" and event.scheduled_time is not None and event.created is not None:
            # a backfill's runs, and others that are created for the past, are not late because of that
            since = max(event.scheduled_time, event.created)
            self.delays.add(max(0.0, (event.at - since).total_seconds()), DELAY_BUCKETS)

    def _add_usage(self, used: JsonDocument) -> None:
        self.cpu_seconds += used.get("cpu_seconds") or 0.0
        if used.get("peak_memory") is not None:
            self.peaks.add(used["peak_memory"], MEMORY_BUCKETS)
