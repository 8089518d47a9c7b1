"""The folders that an administrator has added to those from which the agents with one data directory take code: a file in it, a folder a line."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

NAME = "agent-roots"
_LONGEST = 1024 * 1024


def read(data: Path) -> list[str]:
    """In the order in which they were added; empty if there is no such file, or nothing that can be read."""
    try:
        file = os.open(data / NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(file, encoding="utf-8") as opened:
            return [line for line in opened.read(_LONGEST).splitlines() if line.strip()]
    except (OSError, ValueError):
        return []


def add(data: Path, folder: str) -> bool:
    """Add a folder; False if it was there. Agents take notice within seconds. Raises OSError, or ValueError for a path with a line break."""
    if "\n" in folder or "\0" in folder:
        raise ValueError("The path of a folder must not contain a line break or a NUL character.")
    return _change(data, lambda lines: lines if folder in lines else [*lines, folder])


def remove(data: Path, folder: str) -> bool:
    """Remove a folder; False if it was not there. Raises OSError."""
    return _change(data, lambda lines: [line for line in lines if line != folder])


def _change(data: Path, change: Callable[[list[str]], list[str]]) -> bool:
    """Replace the file as a whole, so that readers see the old or the new one. It belongs to the owner of the data directory, and can be read
    by the agent, whose group the directory has."""
    directory = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        before = read(data)
        after = change(before)
        if after == before:
            return False
        fresh = f".{NAME}.new"
        with suppress(FileNotFoundError):
            os.unlink(fresh, dir_fd=directory)
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o640, dir_fd=directory)
        with os.fdopen(file, "w", encoding="utf-8") as opened:
            opened.writelines(f"{line}\n" for line in after)
            opened.flush()
            if os.geteuid() == 0:
                owner = os.fstat(directory)
                os.fchown(file, owner.st_uid, owner.st_gid)
            os.fchmod(file, 0o640)
            os.fsync(file)
        os.rename(fresh, NAME, src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)
        return True
    finally:
        os.close(directory)
