"""Writes packs of small results to files, many of them at once."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import suppress
from pathlib import Path

from appliance.core import packs
from appliance.core.results import Result
from appliance.kit import crash

_MOST = 256 * 1024 * 1024
_MOST_IN_MEMORY = 4 * 1024 * 1024


class FilePack:
    """A new file, which only the process that created it writes, and only its owner may read.

    What is appended is written by the next `sync`, since each write would cost a task more than the rest of its tracking, but at once if an author
    chose the place: then a full disk fails the task. An interrupt may come anywhere, and must not move what follows.
    """

    is_once = False

    def __init__(self, place: Result, location: str, path: Path) -> None:
        """Create the file, so that it outlasts a power cut. Raises OSError."""
        self._place, self._location = place, location
        self._end = self._end_in_file = 0
        self._waiting: list[tuple[int, bytes]] = []
        self._writing = threading.Lock()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            self._add(packs.HEAD)
            self._write()
            _sync_folder(path.parent)
        except BaseException:
            self.close()
            raise
        crash.point("runner.pack.created")

    @property
    def is_full(self) -> bool:
        return self._end >= _MOST or self._end - self._end_in_file >= _MOST_IN_MEMORY

    def append(self, record: bytes) -> packs.Record:
        at = packs.at_offset(self._location, self._end, record)
        self._add(record)
        if not self._place.optional:
            try:
                self._write()
            except OSError as error:
                self._waiting.clear()
                self._end = at.offset
                raise self._place.trouble("written to", str(at), why(error)) from error
        crash.point("runner.pack.appended")
        return at

    def sync(self) -> None:
        try:
            self._write()
            crash.point("runner.pack.written")
            os.fdatasync(self._file)
        except OSError as error:
            raise self._place.trouble("written to", self._location, why(error)) from error
        crash.point("runner.pack.synced")

    def close(self) -> None:
        with suppress(OSError):
            os.close(self._file)

    def _add(self, record: bytes) -> None:
        self._waiting.append((self._end, record))
        self._end += len(record)

    def _write(self) -> None:
        """Write what waits, where an earlier write that failed or was interrupted may have left something."""
        with self._writing:
            chunks = tuple(self._waiting)
            if not chunks:
                return
            start, content = chunks[0][0], bytearray()
            for offset, record in chunks:  # of two at one offset, the first was interrupted
                content[offset - start :] = record
            left, offset = memoryview(content), start
            while left:
                number = os.pwrite(self._file, left, offset)
                left, offset = left[number:], offset + number
            self._end_in_file = offset
            del self._waiting[: len(chunks)]


def make_folder(folder: Path) -> None:
    """Create the folder and its missing parents, accessible only to their owner, so that they outlast a power cut."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(folder.parent)


def why(error: OSError) -> str:
    """What went wrong, for people."""
    if error.errno == errno.ELOOP:
        return "it is a link"
    return error.strerror or type(error).__name__


def _sync_folder(folder: Path) -> None:
    """Raises OSError, but not where a folder may not be read or its file system syncs none."""
    try:
        _sync(folder)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EINVAL):
            raise


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
