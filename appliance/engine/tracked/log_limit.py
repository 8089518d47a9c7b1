"""Limits what a run writes to its log, so that one that never stops writing can't fill a disk. Whatever is dropped is counted."""

from __future__ import annotations

from appliance.kit import clock
from appliance.kit.plurals import counted

WINDOW = 10.0
"""Seconds over which the rate is averaged."""
_OVERHEAD = 100
"""Bytes that a line takes beside its text."""


class LogLimit:
    """At most `rate` lines a second and `size` bytes in all; 0 is no limit. Not thread-safe."""

    def __init__(self, rate: int, size: int) -> None:
        self._most, self._size = rate * WINDOW, size
        self._window_ends, self._lines, self._bytes = 0.0, 0, 0
        self._dropped_lines = self._dropped_characters = 0

    def reached(self) -> bool:
        """Must the next line be dropped?"""
        if self._size and self._bytes >= self._size:
            return True
        if not self._most or self._lines < self._most:
            return False
        return clock.monotonic() < self._window_ends

    def add(self, characters: int) -> None:
        """Count a line that is logged."""
        now = clock.monotonic()
        if now >= self._window_ends:
            self._window_ends, self._lines = now + WINDOW, 0
        self._lines += 1
        self._bytes += characters + _OVERHEAD

    def drop(self, lines: int, characters: int) -> None:
        """Count lines that are not."""
        self._dropped_lines += lines
        self._dropped_characters += characters

    def gap(self) -> str | None:
        """A line that says how much is missing since the last call, if anything is."""
        if not self._dropped_lines:
            return None
        lines, characters = self._dropped_lines, self._dropped_characters
        self._dropped_lines = self._dropped_characters = 0
        reason = (
            f"the run's log has reached {self._size:,} bytes (APPLIANCE_RUN_LOG_BYTES)"
            if self._size and self._bytes >= self._size
            else f"the run wrote more than {self._most / WINDOW:,.0f} lines a second (APPLIANCE_RUN_LOG_RATE)"
        )
        verb = "was" if lines == 1 else "were"
        return f"{counted(lines, 'line')} ({counted(characters, 'character')}) {verb} dropped here, because {reason}."
