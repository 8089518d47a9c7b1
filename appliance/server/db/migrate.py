"""Bringing the database's tables to the form that this version knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from appliance.server.db.session import Database, passing_faults
from appliance.server.errors import NewerSchema

_ADVISORY_LOCK = 4_200_001
"""Names the migration among Postgres' advisory locks: of several processes that start together one migrates, the others wait."""


def upgrade(url: str) -> None:
    """Bring the tables to the newest form, in one transaction. Raises NewerSchema when they are newer than this version."""
    with _migrating(url) as connection:
        command.upgrade(_config(connection), "head")


def downgrade(url: str, revision: str) -> None:
    """Take the tables back to an older form; what only newer forms can hold is lost."""
    with _migrating(url) as connection:
        command.downgrade(_config(connection), revision)


@contextmanager
def _migrating(url: str) -> Iterator[Connection]:
    database = Database(url)
    try:
        with passing_faults(), database.engine.execution_options(appliance_write=True).connect() as connection:
            if database.dialect == "sqlite":
                # batch changes rebuild tables; the switch has no effect inside a transaction, so it is thrown before ours begins
                driver = connection.connection.driver_connection
                assert driver is not None
                driver.execute("PRAGMA foreign_keys=OFF")
            with connection.begin():
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


def head() -> str:
    """The revision that this version knows."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    assert found is not None
    return found


def require_known(revision: str | None) -> None:
    """Raise NewerSchema for a revision that this version has never heard of."""
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise NewerSchema(
            f"The database was written by a newer version of Appliance (schema {revision}); start that version, or restore a backup."
        )


def check(connection: Connection) -> None:
    """Raise NewerSchema when the tables behind `connection` are newer than this version."""
    if connection.dialect.has_table(connection, "alembic_version"):
        require_known(connection.execute(text("select version_num from alembic_version")).scalar())


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
