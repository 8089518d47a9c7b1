"""The room on the disk of a SQLite database: changes are refused while there is still enough left to read, to sign in and to tidy up.

A reserve file holds room that no other program can take. It is given up when an administrator frees space, or when signing in
needs it; while it is missing, ordinary changes leave as much free as it would hold, so that it can be made again.
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
"""What an essential change wants to find, in bytes; with less, the reserve is given up for it."""


class Space:
    """The room for one database file. Safe to share between threads; several processes may have their own."""

    def __init__(self, folder: Path, *, reserve: int, least_free: int) -> None:
        self.reserve = reserve
        self.least_free = least_free
        self.folder = folder
        self._file = folder / FILE

    def free(self) -> int:
        """Bytes that may be written on the disk."""
        return shutil.disk_usage(self.folder).free

    def total(self) -> int:
        """Bytes that the disk can hold."""
        return shutil.disk_usage(self.folder).total

    def held(self) -> int:
        """Bytes that the reserve file holds now."""
        try:
            return self._file.stat().st_size
        except OSError:
            return 0

    def wanted(self) -> int:
        """The free bytes below which ordinary changes are refused."""
        return self.least_free + max(0, self.reserve - self.held())

    def admit(self, reusable: Callable[[], int]) -> None:
        """Raise DiskFull when an ordinary change would find too little room; `reusable` tells the unused bytes inside the database."""
        free = self.free()
        if free >= self.least_free + self.reserve:
            return
        wanted = self.wanted()
        if free >= wanted or (free >= self.least_free and free + reusable() >= wanted):
            return
        raise DiskFull(
            f"The disk of the database is full ({free // 2**20} MB free, {wanted // 2**20} MB needed); nothing can be changed until an "
            "administrator frees space.",
            free_bytes=free,
            wanted_bytes=wanted,
        )

    def admit_essential(self) -> None:
        """Make room for a change that must work on a full disk too, such as signing in."""
        if self.free() < _LEAST and self.give_up():
            log.warning("The disk of the database is full: its reserve of %d MB was given up.", self.reserve // 2**20)

    def give_up(self) -> bool:
        """Give the reserve's room to whoever writes next; whether there was any."""
        try:
            self._file.unlink()
        except OSError:  # missing, or a disk in such trouble that it can't even delete
            return False
        return True

    def restore(self) -> bool:
        """Make the reserve again when there is ample room for it; whether it is there now."""
        if self.held() >= self.reserve:
            return True
        if self.free() < self.reserve + 2 * self.least_free:
            return False
        draft = self._file.with_suffix(".part")
        try:
            with draft.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self.reserve)  # real blocks, no hole
                os.fsync(file.fileno())
            draft.rename(self._file)
        except OSError as error:
            draft.unlink(missing_ok=True)
            log.warning("The reserve of %d MB can't be made: %s", self.reserve // 2**20, error.strerror)
            return False
        return True
