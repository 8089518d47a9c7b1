"""Backups of a SQLite database: one file, taken while others write, with a note that it is a copy. Postgres': `postgres_backups.py`."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from appliance.kit.clock import isoformat
from appliance.server.db import invariants, start_check
from appliance.server.db.faults import passing_faults
from appliance.server.db.session import Database
from appliance.server.db.sqlite import beside, dbapi, is_damage, read_schema
from appliance.server.errors import Conflict, Damaged, Invalid, ServerError, Unavailable

FOLDER = "backups"
COPIED = "backup.made"
"""The setting that marks a copy, with the time when it was made; the first start of the copy settles what was due until then."""
_PAGES = 2_000
Progress = Callable[[int, int], None]
"""Called with how much is done, and of how much."""


@dataclass(frozen=True)
class Verified:
    """What is in a backup, and what is wrong with it."""

    revision: str
    counts: dict[str, int]
    problems: list[str]


def create(database: Path, target: Path, now: datetime, progress: Progress) -> None:
    """Copy the database as it is at this moment. The file is complete or absent. Raises Damaged, Invalid and Unavailable."""
    if not database.exists():
        raise Invalid("There is no database yet; start the appliance first.")
    start_check.check(database)
    with new_file(target) as draft, closing(_open(database)) as source, closing(_open(draft)) as copy:
        source.execute("BEGIN")  # all steps copy this one snapshot, however much others write meanwhile
        read_schema(source)
        source.backup(copy, pages=_PAGES, progress=lambda _, left, total: progress(total - left, total))
        source.execute("ROLLBACK")
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
        _mark(copy, now)


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """A draft that becomes `target` when the block ends well. Raises Conflict and Unavailable."""
    draft = target.with_name(target.name + ".part")
    if target.exists():
        raise Conflict(f"{target.name} exists already; choose another name.")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600, exist_ok=False)
        yield draft
        to_disk(draft)
        os.link(draft, target)  # unlike a rename, it never replaces a file
        to_disk(target.parent)
    except FileExistsError as error:
        raise Conflict(f"{target.name} exists already; choose another name.") from error
    except dbapi.DatabaseError as error:
        raise _problem(target, error) from error
    except OSError as error:
        raise Unavailable(f"{target.name} can't be written ({error.strerror}); nothing was changed.") from error
    finally:
        draft.unlink(missing_ok=True)


def verify(backup: Path) -> Verified:
    """Open a scratch copy of a backup and look for everything that must hold. Raises Invalid if it is no backup at all."""
    if not backup.is_file():
        raise Invalid(f"There is no file {backup.name}.")
    try:
        with TemporaryDirectory(prefix=".verify-", dir=_scratch(backup)) as scratch:
            copy = Path(scratch) / "copy.db"
            shutil.copyfile(backup, copy)
            return verify_database(f"sqlite:///{copy}")
    except OSError as error:
        raise Unavailable(f"{backup.name} can't be copied to be verified ({error.strerror}).") from error


def verify_database(url: str) -> Verified:
    """The same for a database that nobody else has open."""
    database = Database(url, patience=None)
    try:
        with passing_faults(), database.connect() as connection:
            problems = invariants.broken(connection)
            return Verified(database_revision(connection), {} if problems else invariants.counts(connection), problems)
    except Damaged:
        return Verified("", {}, ["This is not a SQLite database, or it is damaged."])
    except ServerError as error:
        return Verified("", {}, [error.message])
    finally:
        database.dispose()


def database_revision(connection: Any) -> str:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return ""
    return str(connection.exec_driver_sql("select version_num from alembic_version").scalar() or "")


def restore(database: Path, backup: Path, aside: Path, now: datetime) -> Verified:
    """Put a verified copy of the backup in the place of the database, and keep the former database as `aside`. Nobody may have it open.

    Raises Conflict, Invalid and Unavailable; nothing is changed then."""
    if start_check.is_open(database):
        raise Conflict("The database is in use; stop the appliance and its services first.")
    verified = verify(backup)
    if verified.problems:
        raise Invalid(f"{backup.name} can't be restored. {' '.join(verified.problems)}")
    draft = beside(database, ".restoring")
    try:
        shutil.copyfile(backup, draft)
        draft.chmod(0o600)
        with closing(_open(draft)) as copy:
            copy.execute("PRAGMA journal_mode=DELETE")
            _mark(copy, now)
        to_disk(draft)
        _set_aside(database, aside)
        draft.replace(database)
        to_disk(database.parent)
    except dbapi.DatabaseError as error:
        raise _problem(database, error) from error
    except OSError as error:
        raise Unavailable(f"The backup can't be restored ({error.strerror}); free some space and try again.") from error
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            beside(draft, suffix).unlink(missing_ok=True)
    return verified


def _set_aside(database: Path, aside: Path) -> None:
    """Keep the database under another name, with its log if that can't be folded, and leave no log in its place."""
    if not database.exists():
        return
    aside.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        start_check.check(database)
        start_check.fold(database)
    except Damaged:
        pass  # it is kept as it is
    os.link(database, aside)
    for suffix in ("-wal", "-shm", "-journal"):
        if beside(database, suffix).exists():
            beside(database, suffix).replace(beside(aside, suffix))
    to_disk(aside.parent)


def _mark(copy: Any, now: datetime) -> None:
    """Note that this is a copy, and give it a number of its own: no log of the original belongs to it."""
    text = now.strftime("%Y-%m-%d %H:%M:%S.%f")
    copy.execute("BEGIN IMMEDIATE")
    copy.execute(
        "INSERT INTO setting (name, value, updated) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING",
        (COPIED, isoformat(now), text),
    )
    copy.execute(f"PRAGMA user_version={secrets.randbelow(2**31 - 1) + 1}")
    copy.execute("COMMIT")


def to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _open(path: Path) -> Any:
    connection = dbapi.connect(path, isolation_level=None)
    connection.execute("PRAGMA busy_timeout=30000")
    return connection


def _scratch(backup: Path) -> Path | None:
    """Beside the backup, where there is room for another; else in the system's place."""
    return backup.parent if os.access(backup.parent, os.W_OK) else None


def _problem(path: Path, error: Exception) -> Unavailable:
    if is_damage(error):
        return Damaged("The database is damaged; restore an earlier backup with `appliance backup restore`.")
    if "full" in str(error):
        return Unavailable(f"{path.name} can't be written because the disk is full; nothing was changed.")
    return Unavailable(f"{path.name} can't be written ({error}); nothing was changed.")
