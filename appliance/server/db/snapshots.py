"""Copies a whole SQLite database into one file while others use it. Postgres has its own tools for that."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sqlalchemy import make_url

from appliance.server.db.backups import to_disk
from appliance.server.db.sqlite import dbapi
from appliance.server.errors import Unavailable

FOLDER = "snapshots"
_COPIES = 3


def before_migration(url: str, revision: str, target: str, now: datetime) -> Path | None:
    """Copy the database before its tables change, and keep the newest three copies. None for an in-memory database.

    Raises Unavailable when the copy fails: then nothing may be changed.
    """
    database = make_url(url).database
    if not database or database == ":memory:":
        return None
    folder = Path(database).resolve().parent / FOLDER
    path = folder / f"before-{target}-from-{revision}-{now:%Y%m%dT%H%M%S%fZ}.db"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        copy(Path(database), path)
        for old in sorted(folder.glob("before-*.db"), key=lambda file: file.stat().st_mtime_ns)[:-_COPIES]:
            old.unlink(missing_ok=True)
    except (OSError, dbapi.Error) as error:
        raise Unavailable(
            f"The database could not be copied before its tables are changed ({_reason(error)}); "
            "free some space in the data directory, or make it writable, and start again."
        ) from error
    return path


def copy(database: Path, path: Path) -> None:
    """Write a copy that only its owner can read; it is complete or absent. Raises OSError and dbapi.Error."""
    draft = path.with_suffix(".part")
    draft.unlink(missing_ok=True)
    try:
        with closing(dbapi.connect(database)) as connection:
            connection.execute("PRAGMA busy_timeout=30000")
            connection.execute("VACUUM INTO ?", (str(draft),))
        draft.chmod(0o600)
        with closing(dbapi.connect(draft)) as connection:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict != "ok":
                raise dbapi.DatabaseError("the copy is not sound")
        to_disk(draft)
        draft.rename(path)
        to_disk(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _reason(error: OSError | dbapi.Error) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return str(error).lower()
