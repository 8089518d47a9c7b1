"""To whom the data directory and what is in it belong: to the server, apart from the places of the agent. Only root can change that."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from appliance.kit import added_folders, privileges
from appliance.kit.privileges import Ids

_LOCK = ".lock"
_PLACES = ("agent", "results")
_SERVERS = (
    *(_LOCK, ".agent-key", added_folders.NAME, "reserve.bin", "secrets.key"),
    *("appliance.db", "appliance.db-shm", "appliance.db-wal", "backups", "metrics", "snapshots"),
)
"""What the server has in there; anything else stays as it is."""


def is_ours(data: Path) -> bool:
    """Whether the directory belongs to root or to a user that an earlier start made up, so that it can change hands; or does not exist yet."""
    try:
        owner = data.stat().st_uid
    except FileNotFoundError:
        return True
    return owner == 0 or owner in privileges.SPARE


def settle(data: Path, server: Ids | None, *, held: bool = False) -> None:
    """Give the directory and what the server has in it to this user, or back to root; if it is another's, or another appliance uses it, do
    nothing. `held`: the lock is ours already. Raises OSError."""
    if not is_ours(data):
        return
    if not data.exists():
        if server is None:
            return
        create(data, server)
    ids = server or Ids(0, 0)
    directory = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        with _unused(directory, held=held) as unused:
            if not unused:
                return
            for name in _SERVERS:
                try:
                    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISDIR(status.st_mode):
                    _give(directory, name, ids, None)
                else:
                    _give_one(directory, name, ids, None)
            if os.fstat(directory).st_uid != ids.uid:
                os.fchown(directory, ids.uid, ids.gid)
    finally:
        os.close(directory)


def create(data: Path, server: Ids) -> None:
    """Create the directory for the server, which can go through all folders above it that had to be created, too."""
    for folder in [folder for folder in reversed(data.parents) if not folder.exists()]:
        folder.mkdir()
        folder.chmod(0o755)
    data.mkdir(mode=0o700)
    os.chown(data, server.uid, server.gid)


@contextmanager
def _unused(directory: int, *, held: bool) -> Iterator[bool]:
    """Whether no other appliance uses the directory; none can start in it during the block."""
    if held:
        yield True
        return
    try:
        lock = os.open(_LOCK, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=directory)
    except FileNotFoundError:
        yield True
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(lock)


def hand_over(data: Path, server: Ids | None, agent: Ids | None) -> None:
    """Give the agent its places in the data directory, through which it alone may go besides the server. Without an agent's user, they are the
    server's."""
    new = agent or server or Ids(0, 0)
    with privileges.acting_as(server):
        directory = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        for name in _PLACES:
            try:
                os.mkdir(name, 0o700, dir_fd=directory)
            except FileExistsError:
                continue
    try:
        for name in _PLACES:
            _give(directory, name, new, server)
        os.fchown(directory, -1, new.gid)
        with suppress(FileNotFoundError):  # added while the agent had another group, which could read the file
            _give_one(directory, added_folders.NAME, Ids(-1, new.gid), server)
        with privileges.acting_as(server):
            os.fchmod(directory, 0o700 if agent is None else 0o710)
    finally:
        os.close(directory)


def _give(parent: int, name: str, ids: Ids, server: Ids | None) -> None:
    """Give a folder and what is in it to a user, unless the folder is that user's already. Links are not followed."""
    with privileges.acting_as(server):
        owner = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if owner.st_uid == ids.uid:
        return
    opener = server and Ids(
        owner.st_uid, owner.st_gid
    )  # root itself opens what it likes, unless it has only some capabilities
    with privileges.acting_as(opener):
        folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        names = [entry.name for entry in os.scandir(folder)]
    try:
        for inner in names:
            _give_one(folder, inner, ids, opener)
        os.fchown(folder, ids.uid, ids.gid)
    finally:
        os.close(folder)


def _give_one(parent: int, name: str, ids: Ids, opener: Ids | None) -> None:
    with privileges.acting_as(opener):
        handle = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent)
    try:
        status = os.fstat(handle)
        if stat.S_ISDIR(status.st_mode):
            _give(parent, name, ids, opener)
        elif stat.S_ISREG(status.st_mode) and status.st_nlink == 1:  # another link to it may be somebody else's
            os.chown(f"/proc/self/fd/{handle}", ids.uid, ids.gid)
    finally:
        os.close(handle)
