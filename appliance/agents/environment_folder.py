"""The folder of one environment: its lock, its record, and what is known of builds that failed.

Who builds or removes the environment holds the lock alone, and every process that runs in it shares it until its end. The record is written last, so that
without it there is nothing that counts.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import TypeVar

import msgspec

from appliance.agents.installers import Stopped
from appliance.kit import clock

_LOCK, _RECORD, _FAILURE = "lock", "environment.json", "failure.json"
_PAUSE = 0.1

T = TypeVar("T")
Tell = Callable[[str], None]
IsWanted = Callable[[], bool]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A complete environment. `prefix` is where the library of its Python is, `sdk` is the version of the SDK in it, `linked` whether that is the agent's own, `size` in bytes."""

    key: str
    python: str
    requirements: list[str]
    sdk: str
    linked: bool
    packages: int
    size: int
    built_at: datetime
    prefix: str = ""

    def __str__(self) -> str:
        return f"{self.key} (Python {self.python}, {self.packages} package{'' if self.packages == 1 else 's'})"


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """The latest of `count` builds that failed in a row."""

    reason: str
    detail: str
    count: int
    at: datetime


@dataclass
class Environment:
    """One that is ready, and stays as long as this is held: by the agent, and by every process that has inherited `held`, a file descriptor."""

    record: Record
    folder: Path
    held: int

    @property
    def key(self) -> str:
        return self.record.key

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self.folder / "venv" / "bin" / "python"

    def variables(self) -> dict[str, str]:
        """What tells programs that a run starts in which environment they are."""
        bin_folder = str(self.python.parent)
        path = os.pathsep.join([bin_folder, os.environ.get("PATH", os.defpath)])
        return {"VIRTUAL_ENV": str(self.folder / "venv"), "PATH": path}

    def places(self) -> list[Path]:
        """What processes in it need to reach."""
        return [self.folder, *([Path(self.record.prefix)] if self.record.prefix else [])]

    def release(self) -> None:
        """The agent itself does not need it any more."""
        os.close(self.held)


def ready(folder: Path) -> Environment | None:
    """The environment in this folder, held together with all others who use it; None if there is none."""
    if not (folder / _RECORD).exists():
        return None
    held = _locked(folder, fcntl.LOCK_SH | fcntl.LOCK_NB)
    if held is None:
        return None
    record = _read(folder / _RECORD, Record)
    environment = None if record is None else Environment(record, folder, held)
    if environment is None or not os.access(environment.python, os.X_OK):
        os.close(held)
        if record is not None:  # its interpreter was uninstalled
            remove(folder)
        return None
    os.utime(folder / _RECORD)
    return environment


def alone(folder: Path) -> int | None:
    """The lock of the folder, which is made, for us alone: a descriptor to close, with which every process that has inherited it must be gone before the
    lock is free. None if others have it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _locked(folder: Path, how: int) -> int | None:
    """A descriptor of the lock; None if others hold it, or the folder has been removed meanwhile."""
    place = folder / _LOCK
    try:
        held = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(held, how)
        if os.fstat(held).st_ino == place.stat().st_ino:
            return held
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(held)
        raise
    os.close(held)
    return None


def is_used(folder: Path) -> bool:
    """Whether a process runs in the environment, or it is being built or removed."""
    held = _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if held is None:
        return True
    os.close(held)
    return False


def remove(folder: Path) -> bool:
    """Remove the folder unless anybody uses it."""
    held = _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if held is None:
        return False
    try:
        (folder / _RECORD).unlink(missing_ok=True)
        clear(folder)
        shutil.rmtree(folder, ignore_errors=True)
        return True
    finally:
        os.close(held)


def clear(folder: Path) -> None:
    """Remove what a build has left behind, and keep the lock and what is known of failures."""
    for place in folder.iterdir():
        if place.name in (_LOCK, _FAILURE):
            continue
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()


def pause(is_wanted: IsWanted, seconds: float = _PAUSE) -> None:
    """Wait. Raises Stopped."""
    until = clock.monotonic() + seconds
    while True:
        if not is_wanted():
            raise Stopped
        left = until - clock.monotonic()
        if left <= 0:
            return
        Event().wait(min(left, _PAUSE))


def used_at(folder: Path) -> datetime:
    """Its last use, or its last change if it is incomplete."""
    for name in (_RECORD, _FAILURE, _LOCK):
        with suppress(OSError):
            return datetime.fromtimestamp((folder / name).stat().st_mtime, UTC)
    return clock.now()


def size_of(folder: Path) -> int:
    """In bytes, as it takes them on the disk."""
    return sum(file.lstat().st_blocks * 512 for file in folder.rglob("*"))


def record_of(folder: Path) -> Record | None:
    """None if the environment is not complete."""
    return _read(folder / _RECORD, Record)


def complete(folder: Path, record: Record) -> None:
    """From now on it counts. Raises OSError."""
    os.sync()  # or a power cut could leave the record of files that are not there
    _write(folder / _RECORD, record)
    (folder / _FAILURE).unlink(missing_ok=True)


def failure_of(folder: Path) -> Failure | None:
    """The latest failed build since the last one that didn't fail."""
    return _read(folder / _FAILURE, Failure)


def fail(folder: Path, reason: str, detail: str) -> None:
    """Remember that a build has failed, and remove what it has left. Raises OSError."""
    before = failure_of(folder)
    clear(folder)
    count = 1 if before is None else before.count + 1
    _write(folder / _FAILURE, Failure(reason=reason, detail=detail, count=count, at=clock.now()))


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, ValueError):
        return None


def _write(path: Path, content: Record | Failure) -> None:
    draft = path.with_suffix(".draft")
    draft.write_bytes(msgspec.json.encode(content))
    draft.replace(path)
