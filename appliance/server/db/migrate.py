"""Upgrades the database's tables to the revision of this version. Alembic is loaded only when there is something to do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from appliance.kit import clock
from appliance.server.db import revisions, snapshots
from appliance.server.db.faults import passing_faults
from appliance.server.db.session import Database
from appliance.server.db.tables import metadata
from appliance.server.errors import Damaged

if TYPE_CHECKING:
    from alembic.config import Config

log = logging.getLogger(__name__)

_ADVISORY_LOCK = 4_200_001
"""The key of the migration's advisory lock on Postgres: when several processes start together, one migrates and the others wait."""


def upgrade(url: str) -> None:
    """Upgrade the tables to the newest revision in one transaction; a SQLite file is copied first.

    Raises NewerSchema when the tables are newer than this version, and Unavailable when there is no room for the copy.
    """
    if is_current(url):
        return
    from alembic import command

    before = current(url)
    if before is not None and url.startswith("sqlite"):
        path = snapshots.before_migration(url, before, revisions.head(), clock.now())
        log.info("The database was copied to %s before its tables are changed.", path)
    with _migrating(url) as connection:
        command.upgrade(_config(connection), "head")


def downgrade(url: str, revision: str) -> None:
    """Take the tables back to an older revision; data that only newer revisions can store is lost."""
    from alembic import command

    with _migrating(url) as connection:
        command.downgrade(_config(connection), revision)


@contextmanager
def _migrating(url: str) -> Iterator[Connection]:
    database = Database(url, patience=None)
    try:
        with passing_faults(), database.engine.connect() as connection:
            if database.dialect == "sqlite":
                # batch changes rebuild tables; the pragma has no effect inside a transaction, so it comes before ours begins
                driver = connection.connection.driver_connection
                assert driver is not None
                driver.execute("PRAGMA foreign_keys=OFF")
            with connection.begin():
                if database.dialect == "sqlite":
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                if database.dialect == "postgresql":
                    connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
                check(connection)
                yield connection
    finally:
        database.dispose()


def current(url: str) -> str | None:
    """The revision of the tables; None before the first migration."""
    database = Database(url)
    try:
        return database.schema_version()
    finally:
        database.dispose()


def is_current(url: str) -> bool:
    """Whether the tables have the newest revision. Raises NewerSchema when they are newer than this version."""
    revision = current(url)
    revisions.require_supported(revision)
    return revision == revisions.head()


def check(connection: Connection) -> None:
    """Raise NewerSchema when the tables behind `connection` are newer than this version, and Damaged when nothing says how old they are."""
    tables = set(inspect(connection).get_table_names())
    revision = None
    if "alembic_version" in tables:
        revision = connection.execute(text("select version_num from alembic_version")).scalar()
    revisions.require_supported(revision)
    others = tables - {"alembic_version"}
    if revision is None and (others if connection.dialect.name == "sqlite" else others & metadata.tables.keys()):
        raise Damaged(
            "The database has tables, but no record of the appliance's version: it is damaged, or another program's. Restore a backup "
            "with `appliance backup restore`, or choose another database."
        )


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(revisions.SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
