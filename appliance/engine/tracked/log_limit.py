"""Limits what a run writes to its log, so that one that never stops writing can't fill a disk. Whatever is dropped is counted."""

from __future__ import annotations

from appliance.kit import clock

WINDOW = 10.0
"""Seconds over which the rate is averaged."""
_OVERHEAD = 100
"""Bytes that a line takes beside its text."""


class LogLimit:
    """At most `rate` lines a second and `size` bytes in all; 0 is no limit. Not thread-safe."""

    def __init__(self, rate: int, size: int) -> None:
        self._rate, self._size = rate, size
        self._window_ends, self._lines, self._bytes = 0.0, 0, 0
        self._dropped_lines = self._dropped_characters = 0

    def admits(self, message: str) -> bool:
        """Count a message, and say whether it may be logged."""
        now = clock.monotonic()
        if now >= self._window_ends:
            self._window_ends, self._lines = now + WINDOW, 0
        self._lines += 1
        fits = not self.full and not (self._rate and self._lines > self._rate * WINDOW)
        if fits:
            self._bytes += len(message) + _OVERHEAD
        else:
            self._dropped_lines += 1
            self._dropped_characters += len(message)
        return fits

    @property
    def full(self) -> bool:
        return bool(self._size) and self._bytes >= self._size

    def gap(self) -> str | None:
        """A line that says how much is missing since the last call, if anything is."""
        if not self._dropped_lines:
            return None
        lines, characters = self._dropped_lines, self._dropped_characters
        self._dropped_lines = self._dropped_characters = 0
        reason = (
            f"the run's log has reached {self._size:,} bytes (APPLIANCE_RUN_LOG_BYTES)"
            if self.full
            else f"the run wrote more than {self._rate:,} lines a second (APPLIANCE_RUN_LOG_RATE)"
        )
        return f"{lines:,} {'line' if lines == 1 else 'lines'} ({characters:,} characters) were dropped here, because {reason}."
