"""Statements that go to SQLite's driver directly. On Postgres, and while somebody listens to the engine's statements, SQLAlchemy executes them."""

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
