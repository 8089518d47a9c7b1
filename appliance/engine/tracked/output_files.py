"""Collects what a process and its children write to file descriptors 1 and 2, by way of two files.

Pipes would block writers that hold the interpreter's lock, and kill children that outlive the run. What has been read is removed from
the files, so that they stay small, and what has not been read when the process dies is there for the agent.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from appliance.engine.output.lines import Lines
from appliance.engine.output.streams import BOTH, STDERR, STDOUT, Emit

_NUMBERS = {STDOUT: 1, STDERR: 2}
_CHUNK = 1 << 20
_TRUNCATE_ABOVE = 64 << 20
MOST_UNREAD = 256 << 20
"""Bytes of a file."""
_PUNCH_HOLE = 0x03  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE


Skip = Callable[[bytes], bool]
"""Is this data, of any number of lines, to be skipped?"""


class OutputFiles:
    """From `open` to `close`, the descriptors lead to the files `stdout` and `stderr` in a directory. Not thread-safe."""

    def __init__(self, directory: Path, emit: Emit, skip: Skip) -> None:
        self._directory = directory
        self._files: list[tuple[OutputFile, int, int]] = []  # with the descriptor and a duplicate of what it was
        self._emit, self._skip = emit, skip

    def open(self) -> None:
        for name in BOTH:
            with suppress(OSError):  # no such descriptor, or no place for a file: the output stays where it is
                number = _NUMBERS[name]
                file = OutputFile(name, self._directory / name, self._emit, self._skip)
                self._files.append((file, number, os.dup(number)))
                _flush(name)
                os.dup2(file.fd, number)

    def is_quiet(self) -> bool:
        """Is there nothing to read, and no line without an end? Each task asks this, so it is one function and no generator."""
        for file, _, _ in self._files:
            # Appending ignores the position that this sets.
            if _end(file.fd, 0, os.SEEK_END) > file.read_to or file.lines.unfinished:
                return False
        return True

    def read(self) -> None:
        """Emit the lines that are complete by now."""
        for file, _, _ in self._files:
            file.read()

    def end_lines(self) -> None:
        """Emit the lines that have no end yet."""
        for file, _, _ in self._files:
            file.lines.close()

    def close(self) -> None:
        for file, number, before in self._files:
            os.dup2(before, number)
            os.close(before)
            file.close()
        self._files.clear()


class OutputFile:
    """A file to which processes append, and from which one thread reads lines."""

    def __init__(self, name: str, path: Path, emit: Emit, skip: Skip) -> None:
        self.lines = Lines(lambda line: emit(name, line))
        self.fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        self._skip, self._skipping, self.read_to = skip, False, 0

    def read(self) -> None:
        while (unread := os.fstat(self.fd).st_size - self.read_to) > 0:
            if unread > MOST_UNREAD:
                self._leave_out(unread)
            data = os.pread(self.fd, _CHUNK, self.read_to)
            if not data:
                break
            self.read_to += len(data)
            self._pass_on(data)
            self._forget()

    def _pass_on(self, data: bytes) -> None:
        """Emit the lines, or skip all of them at once, since a program may write faster than lines can be cut."""
        if self._skip(data):
            self.lines.close()
            self._skipping = True
            return
        if self._skipping:  # the rest of a line
            data = data.partition(b"\n")[2]
            self._skipping = False
        self.lines.write_bytes(data)

    def _leave_out(self, unread: int) -> None:
        """Most of what is written faster than it can be read, so that it doesn't fill the disk."""
        left_out = unread - _CHUNK
        self.read_to += left_out
        if not _punch(self.fd, self.read_to):
            os.ftruncate(self.fd, 0)
            self.read_to, left_out = 0, unread
        self.lines.close()
        self.lines.write(f"... ({left_out:,} bytes are left out: they were written faster than they could be read)\n")
        self._skipping = self.read_to > 0

    def _forget(self) -> None:
        """Remove what has been read. Where no holes are possible, the file starts over from time to time."""
        if _punch(self.fd, self.read_to) or self.read_to < _TRUNCATE_ABOVE:
            return
        if os.fstat(self.fd).st_size == self.read_to:
            os.ftruncate(self.fd, 0)
            self.read_to = 0

    def close(self) -> None:
        os.close(self.fd)


def _flush(name: str) -> None:
    with suppress(AttributeError, OSError, ValueError):  # there is none, or it is closed
        getattr(sys, name).flush()


def _punch(fd: int, end: int) -> bool:
    """Free the disk space of a file up to `end`, which then reads as zeros. Its size stays, and other processes may be writing."""
    fallocate = _fallocate()
    return bool(fallocate and fallocate(fd, _PUNCH_HOLE, ctypes.c_int64(0), ctypes.c_int64(end)) == 0)


def _lseek() -> Callable[[int, int, int], int]:
    """`os.lseek` without giving up the interpreter's lock, which would let other threads run: that takes ten times as long as the call.
    It never waits, for the files are on a disk."""
    if sys.maxsize < 2**32:  # offsets have another size there
        return os.lseek
    lseek = ctypes.PyDLL(None).lseek
    lseek.argtypes, lseek.restype = (ctypes.c_int, ctypes.c_int64, ctypes.c_int), ctypes.c_int64
    return lseek


_end = _lseek()


@cache
def _fallocate() -> Any:
    return getattr(ctypes.CDLL(None), "fallocate64", None)
