"""The wheels in the folders of APPLIANCE_WHEELS, and what the package index says about them.

A wheel is never opened: it is hashed and sent. What its metadata says is read from the file beside it, `NAME.whl.metadata`, if there is one.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import stat
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.version import Version

MOST = 10_000
"""Wheels that an index has. More are left out, with a line in the log."""
METADATA = ".metadata"
_LONGEST_METADATA = 1024 * 1024
_REQUIRES_PYTHON = re.compile(r"^Requires-Python:[ \t]*([ -~]{1,200}?)[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wheel:
    """One file by its name; `project` is normalized."""

    path: Path
    project: str
    version: Version


@dataclass(frozen=True, slots=True)
class Facts:
    """What an index says about a wheel: sizes in bytes, SHA-256 in hexadecimal. No `metadata` is no file beside the wheel."""

    size: int
    sha256: str
    metadata: str | None
    requires_python: str | None


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that is being sent. The tag is another one once the file has changed."""

    file: BufferedReader
    size: int
    tag: str


class Wheels:
    """The folders are read at each question, so that a wheel is there once it lies in one. A missing folder is an empty one. Of files with
    the same name, the one in the first folder counts."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self._hashing = threading.Lock()
        self._warnings: set[str] = set()

    def projects(self) -> list[str]:
        """The names of all projects."""
        return sorted({project for _path, project, _version in self._every()})

    def of(self, project: str) -> list[Wheel]:
        """The wheels of a project, which is named as in its normalized form, by version."""
        own = [Wheel(*each) for each in self._every() if each[1] == project]
        return sorted(own, key=lambda wheel: (wheel.version, wheel.path.name))

    def _every(self) -> Iterator[tuple[Path, str, Version]]:
        known: set[str] = set()
        for folder in self._folders:
            for name in self._names(folder):
                if name in known or (parsed := _parsed(name)) is None:
                    continue
                if len(known) == MOST:
                    self._warn(f"The package index leaves out wheels: it has at most {MOST}.")
                    return
                known.add(name)
                yield folder / name, *parsed

    def _names(self, folder: Path) -> list[str]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
        except FileNotFoundError:
            return []
        except OSError as error:
            self._warn(f"The package index can't read the folder {folder}: {error.strerror}.")
            return []

    def _warn(self, text: str) -> None:
        """Once, however often anybody asks."""
        if text not in self._warnings:
            self._warnings.add(text)
            log.warning("%s", text)

    def facts(self, wheel: Wheel) -> Facts | None:
        """None if the file can't be read, or has just been removed. One wheel is hashed at a time, once."""
        stamps = _stamp(wheel.path), _stamp(_beside(wheel.path))
        try:
            with self._hashing:
                return _facts(wheel.path, *stamps)
        except OSError:
            return None

    @staticmethod
    def open(wheel: Wheel, *, metadata: bool = False) -> Opened | None:
        """The wheel, or the file of its metadata; None if it can't be read. The caller closes it."""
        try:
            return _open(_beside(wheel.path) if metadata else wheel.path)
        except OSError:
            return None


def normalized(name: str) -> str | None:
    """The name of a project as addresses have it; None if it can't be one."""
    from packaging.utils import InvalidName, canonicalize_name  # importing it takes 12 ms: not at every start

    try:
        return str(canonicalize_name(name, validate=True))
    except InvalidName:
        return None


@lru_cache(maxsize=2 * MOST)
def _parsed(name: str) -> tuple[str, Version] | None:
    if not name.endswith(".whl"):
        return None
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        project, version, _build, _tags = parse_wheel_filename(name)
    except InvalidWheelFilename:
        return None
    return str(project), version


def _beside(wheel: Path) -> Path:
    return wheel.with_name(wheel.name + METADATA)


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@lru_cache(maxsize=MOST)
def _facts(wheel: Path, _of_wheel: object, _of_metadata: object) -> Facts:
    """Kept until one of the files has another stamp. Raises OSError."""
    opened = _open(wheel)
    with opened.file:
        digest = hashlib.file_digest(opened.file, "sha256").hexdigest()
    content = _metadata(_beside(wheel))
    if content is None:
        return Facts(opened.size, digest, None, None)
    requires = _REQUIRES_PYTHON.search(content.decode("utf-8", "replace").partition("\n\n")[0])
    return Facts(opened.size, digest, hashlib.sha256(content).hexdigest(), requires[1] if requires else None)


def _metadata(path: Path) -> bytes | None:
    try:
        opened = _open(path)
    except OSError:
        return None
    with opened.file:
        return opened.file.read(_LONGEST_METADATA) if opened.size <= _LONGEST_METADATA else None


def _open(path: Path) -> Opened:
    """A regular file; neither a link, which may lead out of the folder, nor a pipe, at which opening would wait. Raises OSError."""
    descriptor = os.open(path, _FLAGS)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return Opened(
        os.fdopen(descriptor, "rb"), status.st_size, f'"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"'
    )
