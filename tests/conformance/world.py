"""The tasks' view of the test that runs them, and the test's view of them. Light, because runs under an agent import it too."""

from __future__ import annotations

import os
from pathlib import Path


class World:
    """What the tasks of a flow see of the test, and the test of them: how often each was called, and how often the run was restarted.

    It lives in a folder, one file a task with one byte a call, because tasks may run in other processes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self._calls, self._restarts = folder, folder / "calls", folder / "restarts"
        self._calls.mkdir(parents=True, exist_ok=True)

    def note(self, name: str) -> int:
        """A task was called; how often by now."""
        return _append(self._calls / name)

    @property
    def calls(self) -> dict[str, int]:
        return {file.name: file.stat().st_size for file in self._calls.iterdir()}

    @property
    def restarts(self) -> int:
        return self._restarts.stat().st_size if self._restarts.exists() else 0

    def restart(self) -> None:
        _append(self._restarts)


def _append(file: Path) -> int:
    """Add a byte; the size afterwards. Of several callers at once, each gets its own number."""
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(fd, b".")
        return os.lseek(fd, 0, os.SEEK_CUR)
    finally:
        os.close(fd)
