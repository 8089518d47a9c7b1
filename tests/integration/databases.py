"""Databases for tests."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event

from appliance.server.db.session import Database

PATIENCE = 60.0
"""Seconds for a statement on Postgres. Beside three other workers and their storms, a machine may stand still for longer than the 6 that requests get."""


def without_fsync(database: Database) -> Database:
    """Have SQLite commit without waiting for the disk, as the tests' Postgres does: tests kill processes, and no machine."""
    if database.dialect == "sqlite":
        event.listen(database.engine, "connect", _relax)
    return database


def _relax(driver: Any, _record: object) -> None:
    driver.execute("PRAGMA synchronous=OFF")
