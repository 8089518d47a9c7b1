"""Free space on the disk of a SQLite database: changes are refused early enough to leave room for reading, signing in and cleaning up.

A reserve file keeps other programs from taking that room. It is deleted when an administrator frees space or when signing in needs
it; while it is missing, ordinary changes leave as much free as it would take, so that it can be restored.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from appliance.server.errors import DiskFull

log = logging.getLogger(__name__)

FILE = "reserve.bin"
_LEAST = 4 * 1024 * 1024
"""Free bytes that an essential change needs; with less, the reserve is deleted for it."""


class Space:
    """The free space for one database file. Safe to share between threads; each process may have its own."""

    def __init__(self, folder: Path, *, reserve: int, least_free: int) -> None:
        self.reserve = reserve
        self.least_free = least_free
        self.folder = folder
        self._file = folder / FILE

    def free(self) -> int:
        """Bytes that can still be written to the disk."""
        return shutil.disk_usage(self.folder).free

    def total(self) -> int:
        """The size of the disk in bytes."""
        return shutil.disk_usage(self.folder).total

    def reserved(self) -> int:
        """Bytes that the reserve file takes up now."""
        try:
            return self._file.stat().st_size
        except OSError:
            return 0

    def threshold(self) -> int:
        """The free bytes below which ordinary changes are refused."""
        return self.least_free + max(0, self.reserve - self.reserved())

    def admit(self, reusable: Callable[[], int]) -> None:
        """Raise DiskFull when there is too little room for an ordinary change; `reusable` returns the unused bytes inside the database."""
        free = self.free()
        if free >= self.least_free + self.reserve:
            return
        needed = self.threshold()
        if free >= needed or (free >= self.least_free and free + reusable() >= needed):
            return
        raise DiskFull(
            f"The disk of the database is full ({free // 2**20} MB free, {needed // 2**20} MB needed); nothing can be changed until an "
            "administrator frees space.",
            free_bytes=free,
            wanted_bytes=needed,
        )

    def admit_essential(self) -> None:
        """Make room for a change that must work even on a full disk, such as signing in."""
        if self.free() < _LEAST and self.give_up():
            log.warning("The disk of the database is full: its reserve of %d MB was given up.", self.reserve // 2**20)

    def give_up(self) -> bool:
        """Delete the reserve to make room for the next write; True if there was one."""
        try:
            self._file.unlink()
        except OSError:  # missing, or the disk can't even delete
            return False
        return True

    def restore(self) -> bool:
        """Create the reserve when there is ample room for it; True if it exists now."""
        if self.reserved() >= self.reserve:
            return True
        if self.free() < self.reserve + 2 * self.least_free:
            return False
        draft = self._file.with_suffix(".part")
        try:
            draft.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
                os.posix_fallocate(file.fileno(), 0, self.reserve)  # real blocks, not a hole
                os.fsync(file.fileno())
            draft.rename(self._file)
        except OSError as error:
            draft.unlink(missing_ok=True)
            log.warning("The reserve of %d MB can't be made: %s", self.reserve // 2**20, error.strerror)
            return False
        return True
