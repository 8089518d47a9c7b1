"""The SQLite that the appliance uses: Python's own if it is new enough, otherwise the one that comes with the wheel `pysqlite3`.

A process must open a database through one library only: POSIX drops a process' locks on a file as soon as any of its handles on that
file is closed, and two libraries don't know of each other's. So nothing else in the appliance imports `sqlite3`.
"""

from __future__ import annotations

import importlib
import sqlite3
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import make_url

SOUND = (3, 51, 3)
"""Earlier versions, from 3.7.0 on, can corrupt a database in WAL mode when a checkpoint and a commit meet."""


def _library() -> Any:
    if sqlite3.sqlite_version_info >= SOUND:
        return sqlite3
    try:
        bundled = importlib.import_module("pysqlite3.dbapi2")
    except ImportError:
        return sqlite3
    return bundled if bundled.sqlite_version_info > sqlite3.sqlite_version_info else sqlite3


if TYPE_CHECKING:
    dbapi = sqlite3
else:
    dbapi = _library()

VERSION: str = dbapi.sqlite_version
dbapi.register_adapter(NoneType, cast(Any, {}.get))
"""None stays None. Without an adapter, the driver looks on it for methods that it doesn't have, which takes 40 times as long as storing a text."""


def is_sound() -> bool:
    """Whether this version is free of the fault that `SOUND` names."""
    return dbapi.sqlite_version_info >= SOUND


_DAMAGE = (
    "file is not a database",
    "database disk image is malformed",
    "malformed database schema",
    "unsupported file format",
)


def is_damage(error: object) -> bool:
    """Whether SQLite has found that the file is not a sound database (its codes NOTADB and CORRUPT)."""
    return any(words in str(error) for words in _DAMAGE)


def read_schema(connection: Any) -> None:
    """Have SQLite read the schema. Whatever damage there is to it, it is a DatabaseError that `is_damage` knows."""
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except (
        UnicodeDecodeError,
        dbapi.DataError,
    ) as error:  # SQLite quotes it in its message, or takes it for a huge one
        raise dbapi.DatabaseError("malformed database schema") from error


def is_undecodable(error: object) -> bool:
    """Whether a stored text isn't UTF-8, so that the driver can't return it."""
    return "Could not decode to UTF-8" in str(error)


def file_of(url: str) -> Path | None:
    """The file of a SQLite database; None for Postgres and for a database in memory."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return None
    return Path(parsed.database)


def beside(database: Path, suffix: str) -> Path:
    """The file that SQLite keeps beside a database: `-wal`, `-shm` or `-journal`."""
    return database.with_name(database.name + suffix)
