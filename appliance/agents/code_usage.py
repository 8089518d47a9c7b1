"""How a run's process keeps the folder with its code from being removed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

USED = ".used"
"""The suffix of the file beside the folder, which was last changed when a run last started with it."""


@contextmanager
def in_use(entry: Path) -> Iterator[None]:
    """As long as the process lives in here, the folder is not removed. Its children hold it as well."""
    descriptor = -1
    with suppress(OSError):  # what the run needs of its code is read at once
        descriptor = os.open(entry.with_suffix(USED), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    try:
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)
