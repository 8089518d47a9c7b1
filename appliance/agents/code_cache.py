"""The code that an agent has fetched: one folder per version, shared by all of its runs.

What is in a folder is compared with its hashes each time that a run starts, so a write that a crash cut short, or a change made since, costs
another fetch and no more; nothing has to be synced to the disk. Locks are held on files, so they also work between processes, and end with them.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from appliance.agents.code_usage import USED
from appliance.kit import clock, crash
from appliance.packaging import loading
from appliance.packaging.storage import Access, CodeMissing, LoadError, identity

MOST_BYTES = 2 * 1024**3
RECENT = 600.0
"""Seconds in which a folder is not removed: its run may not have begun."""
_FETCHING, _DRAFT = ".fetching", ".draft-"

_logger = logging.getLogger("appliance.agent")


class CodeCache:
    """The folders of one agent. Runs can read them, and hold theirs `in_use`."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES, recent: float = RECENT) -> None:
        self._folder, self._most, self._recent = folder, most_bytes, recent

    def obtain(self, document: dict[str, Any], access: Access) -> tuple[Path, dict[str, Any]]:
        """The folder with the code of a version, fetched unless it is there, and its description as code on this machine. Raises CodeMissing,
        LoadError or Unreachable."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o755)
            entry = self._folder.resolve() / identity(document)
            with _lock(entry.with_suffix(_FETCHING)):
                place = self._there(document, entry)
                if place is None:
                    place = self._fetched(document, entry, access)
                    self._make_room(entry)
            return entry, place
        except OSError as error:
            raise LoadError(f"The code could not be kept on this machine: {error.strerror or error}.") from error

    def _there(self, document: dict[str, Any], entry: Path) -> dict[str, Any] | None:
        if not entry.is_dir():
            return None
        _touch(entry.with_suffix(USED))
        try:
            return loading.checked(document, entry)
        except CodeMissing as error:
            _logger.warning("The code of a run is fetched again, since a file of it was changed here: %s", error)
            return None

    def _fetched(self, document: dict[str, Any], entry: Path, access: Access) -> dict[str, Any]:
        for draft in self._folder.glob(f"{entry.name}{_DRAFT}*"):  # an agent died while it wrote
            shutil.rmtree(draft, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=f"{entry.name}{_DRAFT}", dir=self._folder))
        try:
            loading.fetch(document, draft, access)
            loading.checked(document, draft)
            _open_to_runs(draft)
            crash.point("agent.fetched")
            _touch(entry.with_suffix(USED))
            if entry.exists():
                entry.rename(draft.with_suffix(f"{draft.suffix}-old"))
            draft.rename(entry)
        finally:
            for left in self._folder.glob(f"{draft.name}*"):
                shutil.rmtree(left, ignore_errors=True)
        return loading.checked(document, entry)

    def _make_room(self, newest: Path) -> None:
        """Remove what was not used for the longest time, until the rest fits."""
        entries = [path for path in self._folder.iterdir() if path.is_dir() and not path.suffix]
        sizes = {path: _size(path) for path in entries}
        left = sum(sizes.values())
        for path in sorted(entries, key=_last_use):
            if left <= self._most:
                return
            if path != newest and clock.now().timestamp() - _last_use(path) > self._recent and self._remove(path):
                left -= sizes[path]

    def _remove(self, entry: Path) -> bool:
        """False if it is being fetched or in use."""
        used = entry.with_suffix(USED)
        try:
            with _lock(entry.with_suffix(_FETCHING), wait=False), _lock(used, wait=False):
                gone = entry.with_suffix(f"{_DRAFT}old")
                entry.rename(gone)
                shutil.rmtree(gone, ignore_errors=True)
                used.unlink(missing_ok=True)
                return True
        except BlockingIOError:
            return False


@contextmanager
def _lock(path: Path, wait: bool = True) -> Iterator[None]:
    """Raises BlockingIOError if another has it and `wait` is false."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


def _touch(path: Path) -> None:
    path.touch()
    path.chmod(0o644)  # runs of other users hold it, too


def _last_use(entry: Path) -> float:
    try:
        return entry.with_suffix(USED).stat().st_mtime
    except OSError:
        return 0.0


def _size(folder: Path) -> int:
    sizes = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return sum(path.lstat().st_size for path in sizes)


def _open_to_runs(folder: Path) -> None:
    """Whatever the mask of this process is, and whatever fetched the files."""
    for place, _, names in os.walk(folder):
        Path(place).chmod(0o755)
        for name in names:
            Path(place, name).chmod(0o644)
