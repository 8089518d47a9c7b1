"""Copies a run's log to the original standard error of its process, where its agent finds the last lines if the process dies."""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress

_MOST_BYTES = 256 * 1024
_MOST_LINES = 100
_LONGEST = 2000


class LastLines:
    """Appends to the file that descriptor 2 leads to now. A regular file starts over when it is full, with the most recent lines."""

    def __init__(self) -> None:
        self._file = os.dup(2)
        self._lines: deque[bytes] = deque(maxlen=_MOST_LINES)
        self._size = 0
        self._lock = threading.Lock()

    def add(self, line: str) -> None:
        data = line[:_LONGEST].encode("utf-8", "replace") + b"\n"
        with self._lock, suppress(OSError):  # a full disk, or nobody who reads
            self._lines.append(data)
            self._size += len(data)
            if self._size > _MOST_BYTES:
                os.ftruncate(self._file, 0)
                data = b"".join(self._lines)
                self._size = len(data)
            os.write(self._file, data)

    def close(self) -> None:
        os.close(self._file)
