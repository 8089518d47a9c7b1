"""The faults of the database: for those that pass, the caller gets a sentence; a wrong statement stays a bug."""

from __future__ import annotations

import logging

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from appliance.server.db.sqlite import dbapi, is_damage, is_undecodable
from appliance.server.errors import Contended, Damaged, DamagedRow, DiskFull, Interrupted, Unavailable

log = logging.getLogger(__name__)

_PG_DISK_FULL = "53100"
_PG_READ_ONLY = "25006"
_PG_CONTENDED = ("40001", "40P01")  # serialization failure, deadlock
_PG_LOCKED = "55P03"
_PG_PASSING = (
    _PG_READ_ONLY,
    "25P02",
    "25P03",
)  # not among the driver's operational errors; the last: silent for too long
_PASSING = ("locked", "disk", "full", "readonly", "read-only", "unable to open", "i/o error")


class passing_faults:
    """In this block, temporary faults (busy, full, down) become Unavailable; a wrong statement stays a bug."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, PoolTimeout):
            raise Unavailable("The database has too many requests at once; try again in a moment.") from error
        if isinstance(error, DBAPIError):
            _raise_answer(error)


def _raise_answer(error: DBAPIError) -> None:
    """Raise what the caller gets instead, unless the error is a bug."""
    if is_damage(error.orig):
        log.error("The database is damaged: %s", error.orig)
        raise Damaged(
            "The database is damaged; stop the appliance and restore a backup with `appliance backup restore`."
        ) from error
    if is_undecodable(error.orig):
        raise DamagedRow(
            "A row of the database that this needs holds a damaged text; `appliance doctor rows` says which."
        ) from error
    if not _passes(error):
        return
    log.warning("The database can't be used: %s", error.orig)
    if _is_disk_full(error):
        raise DiskFull(
            "The disk of the database is full; nothing can be changed until an administrator frees space."
        ) from error
    raise _answer(error) from error


def _answer(error: DBAPIError) -> Unavailable:
    state = getattr(error.orig, "sqlstate", None)
    if state in _PG_CONTENDED:
        return Contended("Several changes to the same things met; try again in a moment.")
    if error.connection_invalidated:
        return Interrupted("The connection to the database was lost and nothing was changed; try again in a moment.")
    if state == _PG_LOCKED or "database is locked" in str(error.orig):
        return Unavailable("Another process has not finished writing to the database; try again in a moment.")
    if state == _PG_READ_ONLY:
        return Unavailable("The database is read-only right now, so nothing can be changed.")
    return Unavailable("The database can't be used right now; try again in a moment.")


def _is_disk_full(error: DBAPIError) -> bool:
    reason = str(error.orig).lower()
    return "disk is full" in reason or getattr(error.orig, "sqlstate", None) == _PG_DISK_FULL


def _passes(error: DBAPIError) -> bool:
    if error.connection_invalidated or getattr(error.orig, "sqlstate", None) in _PG_PASSING:
        return True
    if not isinstance(error, OperationalError):
        return False
    reason = str(error.orig).lower()
    return not isinstance(error.orig, dbapi.Error) or any(word in reason for word in _PASSING)
