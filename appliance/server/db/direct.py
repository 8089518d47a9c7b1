"""Statements that go to the driver directly: on SQLite all that know how, on Postgres those that read. While somebody listens to the engine's
statements, SQLAlchemy executes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError

from appliance.server.db.sqlite import dbapi


def is_possible(connection: Connection) -> bool:
    """Whether nothing is lost if a statement goes past SQLAlchemy."""
    engine = connection.engine
    return (
        engine.dialect.name == "sqlite" and not engine._has_events
    )  # `dispatch` says the same, at the price of a statement


def can_fetch(connection: Connection) -> bool:
    """Whether nothing is lost if what reads on Postgres goes past SQLAlchemy."""
    engine: Any = connection.engine
    return not getattr(
        engine, "_proxied", engine
    )._has_events  # of the two engines, only one may have listeners of its own


def fetch(connection: Connection, statement: str, values: Any) -> list[Any]:
    """All rows of a statement on Postgres, as the driver returns them. As in SQLAlchemy's hands, it begins a transaction if there is none,
    and an error is SQLAlchemy's and tells it of a lost connection."""
    if not connection.in_transaction():
        connection.begin()
    cursor = None
    try:
        cursor = driver(connection).cursor()
        rows: list[Any] = cursor.execute(statement, values).fetchall()
        cursor.close()
    except Exception as error:
        connection._handle_dbapi_exception(error, statement, values, cursor, None)
        raise
    return rows


def driver(connection: Connection) -> Any:
    """The driver's connection."""
    return connection.connection.dbapi_connection


def execute(connection: Connection, statement: str, values: Sequence[Any] = ()) -> Any:
    """Execute a statement of SQLite's. Returns its cursor."""
    try:
        return driver(connection).execute(statement, values)
    except dbapi.Error as error:
        raise usual_error(connection.dialect, statement, error) from error


def usual_error(dialect: Dialect, statement: str, error: Exception) -> BaseException:
    """The driver's error as SQLAlchemy raises it."""
    return DBAPIError.instance(statement, None, error, dbapi.Error, hide_parameters=True, dialect=dialect)
