"""Which user a process is: giving up root for good or for a while, and what such a user can see of the disk."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_CLONE_NEWNS = 0x20000  # from linux/sched.h
SPARE = range(61_184, 65_520)
"""Numbers that nobody gives to people: those from which systemd takes users of services for the time in which they run (DynamicUser=)."""
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_SLAVE = 2, 4, 0x1000, 0x4000, 1 << 19  # from linux/mount.h


@dataclass(frozen=True)
class Ids:
    """A user, its group, and those to which it belongs besides."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


def become(ids: Ids) -> None:
    """Be this user for good, without any capability. Only root can."""
    os.setgroups(ids.groups)
    os.setresgid(ids.gid, ids.gid, ids.gid)
    os.setresuid(ids.uid, ids.uid, ids.uid)


@contextmanager
def acting_as(ids: Ids | None) -> Iterator[None]:
    """Be this user until the end of the block. None: nothing changes."""
    if ids is None:
        yield
        return
    os.setegid(ids.gid)
    os.seteuid(ids.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def can_enter(path: Path, ids: Ids, *, read: bool = False) -> bool:
    """Whether the user can go through this folder, and with `read` see what is in it, by its permissions alone."""
    status = path.stat()
    shift = 6 if status.st_uid == ids.uid else 3 if status.st_gid in (ids.gid, *ids.groups) else 0
    bits = 0o5 if read else 0o1
    return (status.st_mode >> shift) & bits == bits


def can_read(file: Path, ids: Ids) -> bool:
    """Whether the user can read this file, by its permissions and those of the folders above it alone."""
    file = file.resolve()
    status = file.stat()
    shift = 6 if status.st_uid == ids.uid else 3 if status.st_gid in (ids.gid, *ids.groups) else 0
    is_open = (status.st_mode >> shift) & 0o4 and all(can_enter(folder, ids) for folder in file.parents)
    return ids.uid == 0 or bool(is_open)


def can_reach(folder: Path, ids: Ids, *, visible: Path) -> bool:
    """Whether the user can open files in this folder, by the permissions of the folders on the way to them. What is above `visible` doesn't
    count: it was made visible to this user."""
    above = visible.parents if folder.is_relative_to(visible) else ()
    return all(can_enter(place, ids) for place in (folder, *folder.parents) if place not in above)


def interpreter() -> list[Path]:
    """What our own Python processes read: the interpreter, its library, and the packages."""
    places = [sys.base_prefix, sys.base_exec_prefix, sys.prefix, *filter(None, sys.path)]
    files = [Path(sys.executable).resolve(), Path(__file__).resolve().parents[1]]
    return list(dict.fromkeys([Path(place).resolve() for place in places] + files))


def barriers(paths: Iterable[Path], ids: Ids) -> dict[Path, list[Path]]:
    """The outermost folders that the user can't go through, each with those of these paths that lie in it."""
    inside: dict[Path, list[Path]] = {}
    for path in paths:
        closed = next((folder for folder in reversed(path.parents) if not can_enter(folder, ids)), None)
        if closed is not None:
            inside.setdefault(closed, []).append(path)
    return inside


def see_through(barriers: Mapping[Path, list[Path]]) -> None:
    """From now on, for this process and its children alone, these folders have nothing but these paths, and anyone can go through them.

    Raises OSError if this process may not do so.
    """
    if not barriers:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.unshare(_CLONE_NEWNS))
    _check(libc.mount(None, b"/", None, _MS_REC | _MS_SLAVE, None))  # what is mounted later is still seen
    umask = os.umask(0o022)
    for folder, paths in barriers.items():
        handles = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in paths}
        flags = _MS_NOSUID | _MS_NODEV
        _check(libc.mount(b"none", os.fsencode(folder), b"tmpfs", flags, b"mode=0755,size=64k"))
        for path, handle in sorted(handles.items()):
            source = f"/proc/self/fd/{handle}"
            if path.exists():  # it lies in one of the others
                continue
            if Path(source).is_dir():
                path.mkdir(mode=0o755, parents=True)
            else:
                path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                path.touch()
            _check(libc.mount(source.encode(), os.fsencode(path), None, _MS_BIND | _MS_REC, None))
        for handle in handles.values():
            os.close(handle)
    os.umask(umask)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
