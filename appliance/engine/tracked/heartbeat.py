"""When the next sign of life is due: any report is one, an empty report fills the gaps."""

from __future__ import annotations


class Heartbeat:
    """Keeps the time of the last report; knows no clock of its own."""

    def __init__(self, interval: float, now: float) -> None:
        self.interval = interval
        self._last = now

    def sent(self, now: float) -> None:
        """A report was answered."""
        self._last = now

    def due_in(self, now: float) -> float:
        """Seconds until an empty report is due; 0 when it is."""
        return max(0.0, self._last + self.interval - now)
