"""Files of SQLite. Queries have its placeholders: `?`, or `:name`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from appliance.tasks.catalogue import require

require("sqlite")

from appliance.tasks.library.arguments import defaults_from_attrs, needed  # noqa: E402 - says what to install
from appliance.tasks.library.task import TaskOptions  # noqa: E402
from appliance.tasks.sql import Data, DatabaseTask  # noqa: E402

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

__all__ = ["SQLiteQuery", "SQLiteScript"]


class _SqliteTask(DatabaseTask):
    """`db` is the path of the file. A task that waits for another writer gives up after 30 seconds."""

    drivers_placeholders: ClassVar[bool] = True
    connect_args: Mapping[str, Any] | None = {"timeout": 30, "check_same_thread": False}

    def __init__(self, db: str | Path | None, **options: Unpack[TaskOptions]) -> None:
        super().__init__(**options)
        self.db = db

    def address(self) -> URL:
        import sqlalchemy

        return sqlalchemy.URL.create("sqlite", database=str(needed(self, "db", self.db)))


class SQLiteQuery(_SqliteTask):
    """Executes a query in a transaction. The result is a list of all rows, as tuples."""

    def __init__(
        self,
        db: str | Path | None = None,
        query: str | None = None,
        data: Data | None = None,
        **options: Unpack[TaskOptions],
    ) -> None:
        """Takes the options of Task, too."""
        super().__init__(db, **options)
        self.query, self.data = query, data

    @defaults_from_attrs("query", "data")
    def run(self, query: str | None = None, data: Data | None = None) -> list[tuple[Any, ...]]:
        """Raises Unreachable or Refused."""
        query = needed(self, "query", query)

        def rows(connection: Connection) -> list[tuple[Any, ...]]:
            cursor = self.execute(connection, query, data)
            return [tuple(row) for row in cursor.fetchall()] if cursor.returns_rows else []

        return self.work(None, False, rows)


class SQLiteScript(_SqliteTask):
    """Executes several statements, which are separated by semicolons, in a transaction of their own."""

    def __init__(self, db: str | Path | None = None, script: str | None = None, **options: Unpack[TaskOptions]) -> None:
        """Takes the options of Task, too."""
        super().__init__(db, **options)
        self.script = script

    @defaults_from_attrs("script")
    def run(self, script: str | None = None) -> None:
        """Raises Unreachable or Refused."""
        script = needed(self, "script", script)

        def execute(connection: Connection) -> None:
            driver: Any = connection.connection.driver_connection
            driver.executescript(f"BEGIN;\n{script}\n;COMMIT;")

        self.work(None, False, execute)
