"""Cuts the output of a program into lines as it comes."""

from __future__ import annotations

from collections.abc import Callable

_LONGEST = 64 * 1024


class Lines:
    """Calls `on_line` with each line of one stream. A line that is longer than 64 KB is cut."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = b""

    def feed(self, content: bytes) -> None:
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            self._pass_on(line)
        if len(self._rest) > _LONGEST:
            self.end()

    def end(self) -> None:
        """The stream has ended, perhaps without the end of a line."""
        if self._rest:
            self._pass_on(self._rest)
            self._rest = b""

    def _pass_on(self, line: bytes) -> None:
        visible = line.rstrip(b"\r").rpartition(b"\r")[2]  # a progress bar overwrites its line
        self._on_line(visible.decode("utf-8", "replace"))
