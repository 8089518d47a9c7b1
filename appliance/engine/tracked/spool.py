"""Batches that are not yet acknowledged: in memory while the server answers, in an append-only file while it is away."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import BinaryIO

FILE_NAME = "spool.jsonl"


class Spool:
    """A queue of encoded reports in the order of their numbers. One thread uses it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._memory: deque[bytes] = deque()
        self._file: BinaryIO | None = None
        self._read_at = 0
        self._on_disk = 0

    def __len__(self) -> int:
        return len(self._memory) + self._on_disk

    def append(self, report: bytes) -> None:
        """Add a report at the end: to the file as soon as anything is there, so that the order holds."""
        if self._file is None:
            self._memory.append(report)
        else:
            self._write([report])

    def first(self) -> bytes:
        """The oldest report."""
        if self._memory:
            return self._memory[0]
        assert self._file is not None
        self._file.seek(self._read_at)
        return self._file.readline().rstrip(b"\n")

    def drop_first(self) -> None:
        """The oldest report was acknowledged."""
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
        """Put another report under the oldest one's number; only while everything is in memory or it is sent at once."""
        self.drop_first()
        self._memory.appendleft(report)

    def to_disk(self) -> None:
        """The server is away: from now on a killed process loses nothing that was numbered."""
        if self._file is not None or not self._memory:
            return
        self._file = self.path.open("w+b")
        self.path.chmod(0o600)
        waiting, self._memory = list(self._memory), deque()
        self._write(waiting)

    def _write(self, reports: list[bytes]) -> None:
        assert self._file is not None
        self._file.seek(0, os.SEEK_END)
        self._file.writelines(report + b"\n" for report in reports)
        self._file.flush()
        self._on_disk += len(reports)

    def _remove(self) -> None:
        assert self._file is not None
        self._file.close()
        self.path.unlink(missing_ok=True)
        self._file, self._read_at = None, 0
