"""Postgres: execute, fetch, and load by COPY. Queries have the placeholders of psycopg: `%s`, or `%(name)s`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from appliance.core.secrets import Secret
from appliance.tasks.catalogue import require

require("postgres")

from appliance.tasks.library.arguments import credential, defaults_from_attrs, needed  # noqa: E402 - says what to install
from appliance.tasks.library.task import TaskOptions  # noqa: E402
from appliance.tasks.sql import Data, DatabaseTask, Fetch, Loaded, Rows  # noqa: E402

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

__all__ = ["PostgresExecute", "PostgresExecuteMany", "PostgresFetch", "PostgresLoad"]


class PostgresOptions(TaskOptions, total=False):
    """The options of all tasks of this subject."""

    password: Secret | None
    connect_args: Mapping[str, Any] | None


class _PostgresTask(DatabaseTask):
    """`connect_args` are further keywords of a connection, such as `sslmode` and `sslrootcert`."""

    drivers_placeholders: ClassVar[bool] = True

    def __init__(
        self,
        db_name: str | None,
        user: str | None,
        host: str | None,
        port: int,
        **options: Unpack[PostgresOptions],
    ) -> None:
        password, connect_args = options.pop("password", None), options.pop("connect_args", None)
        rest: Any = options
        super().__init__(password, **rest)
        self.db_name, self.user, self.host, self.port = db_name, user, host, port
        self.password = credential("password", password)
        patience = {"connect_timeout": 10, "keepalives_idle": 30, "tcp_user_timeout": 60_000}
        self.connect_args = {**patience, **(connect_args or {})}

    def address(self) -> URL:
        import sqlalchemy

        database, host = needed(self, "db_name", self.db_name), needed(self, "host", self.host)
        if host.startswith("/"):  # the folder of a socket
            query = {"host": host, "port": str(self.port)}
            return sqlalchemy.URL.create("postgresql+psycopg", self.user, database=database, query=query)
        return sqlalchemy.URL.create("postgresql+psycopg", self.user, host=host, port=self.port, database=database)

    def load(self, connection: Connection, table: str, columns: list[str], rows: Iterable[Sequence[Any]]) -> int:
        from psycopg import sql

        into = sql.SQL("COPY {} ({}) FROM STDIN").format(
            _table(table), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor:
            with cursor.copy(into) as copy:
                for row in rows:
                    copy.write_row(row)
            return int(cursor.rowcount)


class PostgresExecute(_PostgresTask):
    """Executes a query in a transaction. The result is how many rows it has affected."""

    def __init__(
        self,
        db_name: str | None = None,
        user: str | None = None,
        host: str | None = None,
        port: int = 5432,
        query: str | None = None,
        data: Data | None = None,
        commit: bool = True,
        **options: Unpack[PostgresOptions],
    ) -> None:
        """Takes `password`, `connect_args`, and the options of Task, too. Without `commit`, what the query changes is rolled back."""
        super().__init__(db_name, user, host, port, **options)
        self.query, self.data, self.commit = query, data, commit

    @defaults_from_attrs("query", "data", "commit")
    def run(
        self,
        query: str | None = None,
        data: Data | None = None,
        commit: bool | None = None,
        password: str | Secret | None = None,
    ) -> int:
        """Raises Unreachable, ConnectionLost, AccessDenied or Refused."""
        query = needed(self, "query", query)
        return self.work(password, not commit, lambda connection: int(self.execute(connection, query, data).rowcount))


class PostgresExecuteMany(_PostgresTask):
    """Executes a query once for each row of `data`, in one transaction. The result is how many rows were affected."""

    def __init__(
        self,
        db_name: str | None = None,
        user: str | None = None,
        host: str | None = None,
        port: int = 5432,
        query: str | None = None,
        data: Rows | None = None,
        commit: bool = True,
        **options: Unpack[PostgresOptions],
    ) -> None:
        """Takes `password`, `connect_args`, and the options of Task, too. Without `commit`, what the query changes is rolled back."""
        super().__init__(db_name, user, host, port, **options)
        self.query, self.data, self.commit = query, data, commit

    @defaults_from_attrs("query", "data", "commit")
    def run(
        self,
        query: str | None = None,
        data: Rows | None = None,
        commit: bool | None = None,
        password: str | Secret | None = None,
    ) -> int:
        """Raises Unreachable, ConnectionLost, AccessDenied or Refused."""
        query, data = needed(self, "query", query), needed(self, "data", data)
        return self.work(password, not commit, lambda connection: self.many(connection, query, data))


class PostgresFetch(_PostgresTask):
    """Fetches rows as tuples: `fetch` is `"one"`, `"many"` (`fetch_count` of them) or `"all"`. With `col_names`, the first row has the names.

    With `path`, all rows are written there, as CSV if it ends with `.csv` and otherwise as one JSON text a line, and the result is how many.
    Queries that change something need `commit`, and are not retried then.
    """

    def __init__(
        self,
        db_name: str | None = None,
        user: str | None = None,
        host: str | None = None,
        port: int = 5432,
        fetch: Fetch = "one",
        fetch_count: int = 10,
        query: str | None = None,
        data: Data | None = None,
        commit: bool = False,
        col_names: bool = False,
        path: str | Path | None = None,
        **options: Unpack[PostgresOptions],
    ) -> None:
        """Takes `password`, `connect_args`, and the options of Task, too."""
        super().__init__(db_name, user, host, port, **options)
        self.query, self.data, self.commit, self.path = query, data, commit, path
        self.fetch, self.fetch_count, self.col_names = fetch, fetch_count, col_names

    @defaults_from_attrs("query", "data", "commit", "path")
    def run(
        self,
        query: str | None = None,
        data: Data | None = None,
        commit: bool | None = None,
        path: str | Path | None = None,
        password: str | Secret | None = None,
    ) -> Any:
        """Raises Unreachable, ConnectionLost, AccessDenied or Refused."""
        query = needed(self, "query", query)
        how = (self.fetch, self.fetch_count, self.col_names)
        return self.work(password, not commit, lambda connection: self.read(connection, query, data, path, how))


class PostgresLoad(_PostgresTask):
    """Loads rows into a table by COPY, in one transaction: dicts, or the lines of a CSV file with a header, in which an empty field is NULL."""

    def __init__(
        self,
        db_name: str | None = None,
        user: str | None = None,
        host: str | None = None,
        port: int = 5432,
        table: str | None = None,
        rows: Rows | None = None,
        path: str | Path | None = None,
        **options: Unpack[PostgresOptions],
    ) -> None:
        """Takes `password`, `connect_args`, and the options of Task, too."""
        super().__init__(db_name, user, host, port, **options)
        self.table, self.rows, self.path = table, rows, path

    @defaults_from_attrs("table", "rows", "path")
    def run(
        self,
        table: str | None = None,
        rows: Rows | None = None,
        path: str | Path | None = None,
        password: str | Secret | None = None,
    ) -> Loaded:
        """Raises Unreachable, ConnectionLost, AccessDenied or Refused."""
        table = needed(self, "table", table)
        return self.work(password, False, lambda connection: self.load_all(connection, table, rows, path))


def _table(name: str) -> Any:
    """The name of a table as Postgres quotes it, with that of its schema if there is one."""
    from psycopg import sql

    return sql.Identifier(*name.split("."))
