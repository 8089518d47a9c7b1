"""Stores batches that are not yet acknowledged: in memory while the server responds, otherwise in an append-only file."""

from __future__ import annotations

import logging
import os
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

FILE_NAME = "spool.jsonl"
_logger = logging.getLogger("appliance.reporter")


class Spool:
    """A queue of encoded reports in the order of their numbers. Used by one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._memory: deque[bytes] = deque()  # the oldest
        self._file: BinaryIO | None = None
        self._read_at = 0
        self._on_disk = 0
        self._overflow: deque[bytes] = deque()  # the newest, if they can't be written to disk

    def __len__(self) -> int:
        return len(self._memory) + self._on_disk + len(self._overflow)

    def append(self, report: bytes) -> None:
        """Add a report at the end: to the file if there is one, so that the order is kept."""
        if self._file is None:
            self._memory.append(report)
        elif self._overflow or not self._write([report]):
            self._overflow.append(report)

    def first(self) -> bytes:
        """The oldest report."""
        if self._memory:
            return self._memory[0]
        assert self._file is not None
        self._file.seek(self._read_at)
        return self._file.readline().rstrip(b"\n")

    def drop_first(self) -> None:
        """Remove the oldest report, which has been acknowledged."""
        if self._memory:
            self._memory.popleft()
            return
        assert self._file is not None
        self._file.seek(self._read_at)
        self._read_at += len(self._file.readline())
        self._on_disk -= 1
        if self._on_disk == 0:
            self._remove()

    def replace_first(self, report: bytes) -> None:
        """Replace the oldest report."""
        self.drop_first()
        self._memory.appendleft(report)

    def to_disk(self) -> None:
        """Move everything to the file while the server can't be reached, so that a killed process loses no numbered report."""
        if self._file is not None or not self._memory:
            return
        try:
            self.path.touch(mode=0o600)
            self._file = self.path.open("w+b")
        except OSError as error:
            _logger.warning("Keeping reports in memory, because the spool can't be written: %s", error)
            return
        waiting, self._memory = self._memory, deque()
        if not self._write(list(waiting)):
            self._remove()
            self._memory = waiting

    def _write(self, reports: list[bytes]) -> bool:
        """Write all of them or, as on a full disk, none."""
        assert self._file is not None
        end = self._file.seek(0, os.SEEK_END)
        try:
            self._file.writelines(report + b"\n" for report in reports)
            self._file.flush()
        except OSError as error:
            _logger.warning("Keeping reports in memory, because the spool can't be written: %s", error)
            self._reopen(end)
            return False
        self._on_disk += len(reports)
        return True

    def _reopen(self, end: int) -> None:
        """Discard a partial write, in the file and in its buffer."""
        assert self._file is not None
        os.truncate(self.path, end)
        fd = self._file.fileno()
        fresh = os.fdopen(os.dup(fd), "r+b")
        with suppress(OSError):
            self._file.close()  # tries to flush its buffer once more
        os.truncate(self.path, end)
        self._file = fresh

    def _remove(self) -> None:
        assert self._file is not None
        self._file.close()
        self.path.unlink(missing_ok=True)
        self._file, self._read_at = None, 0
        self._memory.extend(self._overflow)
        self._overflow.clear()
