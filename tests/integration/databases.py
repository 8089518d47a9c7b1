"""Databases for tests."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event

from appliance.server.db.session import Database, address
from appliance.server.db.tables import metadata

PATIENCE = 60.0
"""Seconds for a statement on Postgres. Beside three other workers and their storms, a machine may stand still for longer than the 6 that requests get."""


def without_fsync(database: Database) -> Database:
    """Have SQLite commit without waiting for the disk, as the tests' Postgres does: tests kill processes, and no machine."""
    if database.dialect == "sqlite":
        event.listen(database.engine, "connect", _relax)
    return database


def _relax(driver: Any, _record: object) -> None:
    driver.execute("PRAGMA synchronous=OFF")


def new_url(request: pytest.FixtureRequest, folder: Path) -> str:
    """The address of an empty database with the newest tables; the fixture's parameter says which."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), folder / "appliance.db")
        return f"sqlite:///{folder / 'appliance.db'}"
    url: str = request.getfixturevalue("postgres_database")
    empty(url)
    return url


def empty(url: str) -> None:
    """Delete every row of every table."""
    delete_rows(_engine(url))


@cache
def _engine(url: str) -> Engine:
    """One for all tests: to connect takes longer than to delete."""
    return create_engine(address(url), pool_pre_ping=True)


def let_go(url: str) -> None:
    """Close the connection that stays open between tests, for what needs the database to itself."""
    _engine(url).dispose()


def delete_rows(engine: Engine) -> None:
    statements = [f'delete from "{table.name}"' for table in reversed(metadata.sorted_tables)]
    with engine.begin() as connection:
        for sql in statements if engine.name == "sqlite" else ["; ".join(statements)]:
            connection.exec_driver_sql(sql)
