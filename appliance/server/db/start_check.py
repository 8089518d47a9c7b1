"""Looks at SQLite's files before they are opened, because opening them would already take a foreign log into the database.

Which log belongs to which database can be told from the first page, which gets a new number at every start (`begin_generation`).
"""

from __future__ import annotations

import fcntl
import logging
import mmap
import secrets
import struct
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from appliance.server.db.sqlite import beside, dbapi
from appliance.server.db.write_ahead_log import HEADER, BrokenLog, Frame, Log
from appliance.server.errors import Damaged

log = logging.getLogger(__name__)

_MAGIC = b"SQLite format 3\x00"
_IN_WAL = b"\x02\x02"
_OPEN_BYTE = 128  # of -shm: whoever has the database open holds a shared lock on it
_GENERATION = slice(60, 64)  # SQLite's user_version
_COUNTERS = (slice(24, 28), _GENERATION, slice(92, 100))
_JOURNAL = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
_RESTORE = "restore a backup with `appliance backup restore`"


@dataclass(frozen=True)
class _FirstPage:
    """The page that describes the database."""

    content: bytes

    @property
    def page_size(self) -> int:
        size = int.from_bytes(self.content[16:18], "big")
        return 65536 if size == 1 else size

    @property
    def counter(self) -> int:
        return int.from_bytes(self.content[24:28], "big")

    @property
    def pages(self) -> int:
        return int.from_bytes(self.content[28:32], "big")

    @property
    def generation(self) -> bytes:
        return self.content[_GENERATION]

    def without_counters(self) -> bytes:
        content = bytearray(self.content)
        for part in _COUNTERS:
            content[part] = bytes(part.stop - part.start)
        return bytes(content)


def check(database: Path) -> None:
    """Raise Damaged if the files are not one sound SQLite database as far as can be seen without opening it. Nothing is changed.

    A database that another process has open was checked by that process, and is not looked at."""
    if is_open(database):
        return
    wal, size = beside(database, "-wal"), _size(database)
    if size == 0:
        if _size(wal) > HEADER:
            raise Damaged(
                f"{database.name} is missing or empty, but its log {wal.name} is not; put the database back, "
                f"{_RESTORE}, or move the log away to start with an empty database."
            )
        return
    first = _first_page(database, size)
    _check_journal(database, first)
    if _size(wal) >= HEADER:
        _check_log(database, wal, first)
    elif size < first.pages * first.page_size and first.content[24:28] == first.content[92:96]:
        raise Damaged(f"{database.name} is only a part of a database: its end is missing; {_RESTORE}.")


def is_open(database: Path) -> bool:
    """Whether a process has the database open. Never ask in one that has: closing the file would drop its locks."""
    try:
        with beside(database, "-shm").open("r+b") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _OPEN_BYTE)
            except (BlockingIOError, PermissionError):
                return True
            return False
    except OSError:
        return False


def begin_generation(database: Path) -> None:
    """Take the log into the database and mark both with a new number, so that no older copy of the database passes for this one.

    Raises Damaged. On a full disk the number stays: reading must work there."""
    if is_open(database):
        return
    try:
        with closing(dbapi.connect(database, isolation_level=None)) as connection:
            connection.execute("PRAGMA busy_timeout=5000")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute(f"PRAGMA user_version={secrets.randbelow(2**31 - 1) + 1}")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except dbapi.OperationalError as error:
        log.warning("The database can't be marked at this start: %s", error)
    except dbapi.DatabaseError as error:
        raise Damaged(f"{database.name} is damaged ({error}); {_RESTORE}.") from error


def fold(database: Path) -> None:
    """Leave one file: take the log into the database, unless another process still has it open or the disk is full."""
    if _size(beside(database, "-wal")) == 0 and not beside(database, "-shm").exists():
        return
    try:
        with closing(dbapi.connect(database, isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except dbapi.Error as error:
        log.warning("The write-ahead log can't be folded into the database: %s", error)


def _first_page(database: Path, size: int) -> _FirstPage:
    with database.open("rb") as file:
        head = file.read(100)
        first = _FirstPage(head)
        if head[:16] != _MAGIC or first.page_size not in (2**power for power in range(9, 17)):
            raise Damaged(f"{database.name} is not a SQLite database, or its beginning is damaged; {_RESTORE}.")
        page = _FirstPage(head + file.read(first.page_size - 100))
    if size < first.page_size:
        raise Damaged(f"{database.name} is only a part of a database: its end is missing; {_RESTORE}.")
    return page


def _check_journal(database: Path, first: _FirstPage) -> None:
    """A database in WAL mode has no rollback journal, except at the moment when it is created. SQLite would apply another's."""
    journal = beside(database, "-journal")
    if _size(journal) < 28 or first.content[18:20] != _IN_WAL:
        return
    with journal.open("rb") as file:
        magic, pages = struct.unpack(">8s8xI", file.read(20))
    if magic == _JOURNAL and pages > 1:
        raise Damaged(
            f"{journal.name} does not belong to {database.name}, which was probably restored from a copy; "
            f"move {journal.name} out of the directory and start again."
        )


def _check_log(database: Path, wal: Path, first: _FirstPage) -> None:
    with wal.open("rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    try:
        belongs = _belongs(Log(data, first.page_size), first)
    except BrokenLog:
        raise Damaged(
            f"{wal.name}, the log of the latest changes, is damaged, and starting would silently drop changes that had been "
            f"confirmed; {_RESTORE}."
        ) from None
    if not belongs:
        raise Damaged(
            f"{wal.name} does not belong to {database.name}, which was probably restored from a copy; "
            f"move {wal.name} out of the directory and start again, or put back the database that it belongs to."
        )


def _belongs(wal: Log, first: _FirstPage) -> bool:
    """Whether the database is the one to which the log's frames were added: its first page is the one that the log's first version of
    that page replaces, or is one of those, because a part of the log has been taken into the database."""
    frames = wal.committed()
    if not frames:
        return True
    if wal.page_size != first.page_size:
        return False
    versions = [frame for frame in frames if frame.number == 1]
    if not versions:
        return all(frame.size == first.pages for frame in frames if frame.size)
    return any(frame.page == first.content for frame in versions) or _precedes(first, versions[0])


def _precedes(first: _FirstPage, frame: Frame) -> bool:
    following = _FirstPage(bytes(frame.page))
    if following.counter - first.counter not in (0, 1):
        return False
    if following.generation == first.generation:
        return True
    return frame.index == 0 and following.without_counters() == first.without_counters()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
