"""The bytes of a flow's file, read once: of a regular file under its own name, not of a link, a device or a file without end."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

MOST_BYTES = 5 * 1024**2
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a named pipe must not hold up whoever opens it


class NotAFlowFile(OSError):
    """There is a file, but it can't be a flow's; the message says why, without the path."""


def read(path: Path) -> bytes:
    """The content of the file. `path` is absolute and resolved: no part of it may be a link. Raises OSError."""
    descriptor = os.open(path, _FLAGS)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotAFlowFile("it is not a regular file")
        if _opened(descriptor, path) != path:
            raise NotAFlowFile("its path leads through a link")
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise NotAFlowFile(f"it is larger than {MOST_BYTES // 1024**2} MB")
    return content


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _opened(descriptor: int, path: Path) -> Path:
    """Where the opened file is, and not where another one may be by now."""
    try:
        return Path(f"/proc/self/fd/{descriptor}").readlink()
    except OSError:  # there is no /proc
        return path.resolve()
