"""Determines when the next heartbeat is due. Any report counts as one; empty reports fill the gaps."""

from __future__ import annotations


class Heartbeat:
    """Holds the time of the last report. It never reads a clock itself."""

    def __init__(self, interval: float, now: float) -> None:
        self.interval = interval
        self._last = now

    def sent(self, now: float) -> None:
        """Record that a report was acknowledged."""
        self._last = now

    def due_in(self, now: float) -> float:
        """Seconds until an empty report is due, or 0 if it is due now."""
        return max(0.0, self._last + self.interval - now)
