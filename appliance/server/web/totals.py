"""Running totals of the outbox, for counters. Every server adds up the same events and therefore reports the same numbers.

They start at the oldest event still stored. After retention deletes events, a restarted server counts from a later start,
which Prometheus correctly treats as a counter reset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.kit.documents import JsonDocument
from appliance.protocol.states import TERMINAL
from appliance.server.db.reads import events, flow_runs
from appliance.server.db.rows.events import CountedEvent

_CHUNK = 5_000
_MOST_CHUNKS = 40
"""Maximum number per scrape. A server that starts with a long history catches up over a few scrapes."""
_DUTY = 100
_CHEAP = 0.005


class StateCounts:
    """Runs by state type, counted at each call but for at most a hundredth of the time. If counting a million runs takes 0.1 s, the
    counts are up to 10 s old."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._again = 0.0

    def get(self, session: Session) -> dict[str, int]:
        began = clock.monotonic()
        if began >= self._again:
            self._counts = flow_runs.counts_by_type(session)
            took = clock.monotonic() - began
            self._again = began + (_DUTY * took if took > _CHEAP else 0.0)
        return self._counts


class Distribution:
    """How many values were up to each of some bounds."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.sum = 0.0
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)

    def add(self, value: float) -> None:
        place = next((place for place, bound in enumerate(self._bounds) if value <= bound), len(self._bounds))
        self._counts[place] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts, as Prometheus expects."""
        buckets: list[tuple[str, float]] = []
        total = 0
        for bound, number in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += number
            buckets.append(("+Inf" if bound == float("inf") else repr(bound), float(total)))
        return buckets


class Totals:
    """Runs created, runs finished by state, how late runs started, and what their attempts have used."""

    def __init__(self, delay_bounds: tuple[float, ...], memory_bounds: tuple[float, ...]) -> None:
        self.created = 0
        self.finished: Counter[str] = Counter()
        self.delays = Distribution(delay_bounds)
        self.cpu_seconds = 0.0
        self.peaks = Distribution(memory_bounds)
        self._last = 0

    def fold(self, session: Session) -> None:
        """Count the events since the last call."""
        for _ in range(_MOST_CHUNKS):
            rows = events.since(session, self._last, ("flow_run.state", "flow_run.usage"), _CHUNK)
            if not rows:
                return
            self._count(session, rows)
            self._last = rows[-1].id

    def _count(self, session: Session, rows: Sequence[CountedEvent]) -> None:
        starts = []
        for row in rows:
            if row.kind == "flow_run.usage":
                self._count_usage(row.data)
                continue
            kind = row.data.get("type")
            if row.data.get("version") == 1:
                self.created += 1
            if kind in TERMINAL:
                self.finished[kind] += 1
            elif kind == "RUNNING":
                starts.append(row)
        since = flow_runs.waited_since(session, {row.object_id for row in starts})
        for row in starts:
            if row.object_id in since:
                self.delays.add(max(0.0, (row.at - since[row.object_id]).total_seconds()))

    def _count_usage(self, used: JsonDocument) -> None:
        self.cpu_seconds += used.get("cpu_seconds") or 0.0
        if used.get("peak_memory") is not None:
            self.peaks.add(used["peak_memory"])
