"""Reads that go on when a stored value can't be read: the damaged row is left out, logged and counted, and the others are returned.

Every read of more than one row goes through here. A read of one row raises DamagedRow.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from sqlalchemy import Connection, Executable, Result, Select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.kit.plurals import counted
from appliance.server.db.prepared import Prepared
from appliance.server.db.sqlite import is_undecodable
from appliance.server.errors import DamagedRow

log = logging.getLogger(__name__)


_QUIET = 60.0


class _Skipped:
    rows = 0
    logged: float | None = None


def skipped() -> int:
    """How many times this process has left out a damaged row."""
    return _Skipped.rows


def skip(error: DamagedRow) -> None:
    """Count a damaged row that is left out; it is logged at most once a minute, since lists are read all the time."""
    _Skipped.rows += 1
    now = clock.monotonic()
    if _Skipped.logged is None or now - _Skipped.logged > _QUIET:
        _Skipped.logged = now
        log.error(
            "A damaged row was left out (%s so far); `appliance doctor rows` says which.",
            counted(_Skipped.rows, "time"),
        )


@contextmanager
def set_aside() -> Iterator[None]:
    """A damaged row ends this block, but not what comes after it."""
    try:
        yield
    except DamagedRow as error:
        skip(error)


def every(session: Session, statement: Executable | Prepared, values: dict[str, Any] | None = None) -> list[Any]:
    """All rows that can be read."""
    sound, errors = _read(session, statement, values)
    _skip(errors)
    return sound


def complete(session: Session, statement: Executable, values: dict[str, Any] | None = None) -> list[Any]:
    """All rows, for a decision that would be wrong without one of them. Raises DamagedRow."""
    return list(session.connection().execute(statement, values or {}).all())


def scalars(session: Session, statement: Executable | Prepared, values: dict[str, Any] | None = None) -> list[Any]:
    """The first column of all rows that can be read."""
    return [row[0] for row in every(session, statement, values)]


def rows(
    session: Session, statement: Select[Any] | Prepared, limit: int, values: dict[str, Any] | None = None
) -> list[Any]:
    """The first `limit` rows of an ordered statement that can be read. A prepared one has the parameter `most`."""
    if isinstance(statement, Prepared):
        return _first(lambda most: _read(session, statement, {**(values or {}), "most": most}), limit)
    return first(session, statement.limit, limit, values)


def first(
    session: Session, statement: Callable[[int], Select[Any]], limit: int, values: dict[str, Any] | None = None
) -> list[Any]:
    """The same for the statement that returns a given number of rows: it is asked for more where some are damaged."""
    return _first(lambda most: _read(session, statement(most), values), limit)


def _first(read: Callable[[int], tuple[list[Any], Sequence[DamagedRow]]], limit: int) -> list[Any]:
    most = limit
    while True:
        sound, errors = read(most)
        if len(sound) >= limit or len(sound) + len(errors) < most or not errors:
            _skip(errors)
            return sound[:limit]
        most = limit + 2 * len(errors)


def objects(session: Session, statement: Select[Any]) -> list[Any]:
    """The mapped objects of all rows that can be read. They are read one by one only where one is damaged."""
    try:
        return list(session.execute(statement).scalars())
    except DamagedRow:
        return list(_one_by_one(session, statement))


def changed(session: Session, statement: Executable, values: dict[str, Any] | None = None) -> list[Any]:
    """The rows that can be read of those that a statement changes and returns; it can't be repeated."""
    sound, errors = _one_after_another(session.connection(), statement, values)
    _skip(errors)
    return sound


def _read(
    session: Session, statement: Executable | Prepared, values: dict[str, Any] | None
) -> tuple[list[Any], Sequence[DamagedRow]]:
    connection = session.connection()
    try:
        if isinstance(statement, Prepared):
            return list(statement.all(session, values or {})), ()
        return list(connection.execute(statement, values or {}).all()), ()
    except DamagedRow:
        pass
    except OperationalError as error:
        if not is_undecodable(error):
            raise
    if isinstance(statement, Prepared):
        statement = statement.statement
    return _one_after_another(connection, statement, values)


def _one_after_another(
    connection: Connection, statement: Executable, values: dict[str, Any] | None
) -> tuple[list[Any], list[DamagedRow]]:
    with bytes_for_damaged_text(connection):
        sound = list(_each(connection.execute(statement, values or {})))
    errors = [row for row in sound if isinstance(row, DamagedRow)]
    return [row for row in sound if not isinstance(row, DamagedRow)], errors


def _each(result: Result[Any]) -> Iterator[Any]:
    """Each row, or the error that reading it raised; the next one can be read all the same."""
    while True:
        try:
            row = result.fetchone()
        except DamagedRow as error:
            yield error
            continue
        if row is None:
            return
        yield DamagedRow("A text can't be read.") if any(isinstance(value, bytes) for value in row) else row


def _one_by_one(session: Session, statement: Select[Any]) -> Iterator[Any]:
    for place in count(0):
        try:
            sound = session.execute(statement.limit(1).offset(place)).scalars().all()
        except DamagedRow as error:
            skip(error)
            continue
        if not sound:
            return
        yield sound[0]


def _skip(errors: Sequence[DamagedRow]) -> None:
    for error in errors:
        skip(error)


@contextmanager
def bytes_for_damaged_text(connection: Connection) -> Iterator[None]:
    """SQLite's driver refuses a whole result for one text that isn't UTF-8. In this block it returns such a text as bytes."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name != "sqlite":
        yield
        return
    driver.text_factory = text_or_bytes
    try:
        yield
    finally:
        driver.text_factory = str


def text_or_bytes(stored: bytes) -> str | bytes:
    """The text that SQLite stored, or its bytes if they aren't UTF-8."""
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return stored
