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
    return connection.connection.driver_connection


def execute(connection: Connection, statement: str, values: Sequence[Any] = ()) -> Any:
    """Execute a statement of SQLite's. Returns its cursor."""
    with usual_errors(connection.dialect, statement):
        return driver(connection).execute(statement, values)


class usual_errors:
    """In this block, the driver's errors are raised as SQLAlchemy raises them."""

    def __init__(self, dialect: Dialect, text: str) -> None:
        self._dialect, self._text = dialect, text

    def __enter__(self) -> None:
        pass

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, dbapi.Error):
            raise DBAPIError.instance(
                self._text, None, error, dbapi.Error, hide_parameters=True, dialect=self._dialect
            ) from error
